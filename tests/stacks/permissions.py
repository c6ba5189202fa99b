"""The exact permissions of each role of the stateless stack: (action, resource), by construct path of the role."""

RAW = "Data/RawComplaints/Table.Arn"
STORY = "Data/ComplaintsAllocation/Table.Arn"
MODELS = "Data/ModelInfo/Table.Arn"
STRATEGIES = "Data/ModelStrategy/Table.Arn"
CHAIN = "Data/AuditChain/Table.Arn"
LEDGER = "Data/ChampionLedger/Table.Arn"
BUNDLES = "Data/Bundles/Bucket.Arn/*"
EVIDENCE = "Data/Evidence/Bucket.Arn/*"
MACHINE = "Orchestration/Triage"
SHADOW_MACHINE = "Shadows/Shadow"
PROMOTION_MACHINE = "Promotion/Promotion"
EXPLANATION_MACHINE = "Explanations/Explanation"
ACCOUNT = "<region>:<AWS::AccountId>"
NARRATIVES_KEY = "Data/NarrativesKey.Arn"
RECORDS_KEY = "Data/RecordsKey.Arn"
READ_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")

Allowed = set[tuple[str, str]]


def on(resource: str, service: str, *actions: str) -> Allowed:
    return {(f"{service}:{action}", resource) for action in actions}


def table(resource: str, *actions: str) -> Allowed:
    return on(resource, "dynamodb", *actions)


def uses(*keys: str) -> Allowed:
    """Return the permissions for the keys of a queue or bucket that a role reads and writes."""
    return {permission for key in keys for permission in on(key, "kms", "Decrypt", "GenerateDataKey")}


def reads(key: str) -> Allowed:
    """Return the permissions for the key of a table that a role reads."""
    return on(key, "kms", "Decrypt", "DescribeKey")


def writes(key: str) -> Allowed:
    return reads(key) | on(key, "kms", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")


def reads_stream(arn: str, key: str) -> Allowed:
    return table(arn, *READ_STREAM) | on(key, "kms", "Decrypt", "DescribeKey")


def logs(function: str) -> Allowed:
    return on(f"{function}Logs.Arn", "logs", "CreateLogStream", "PutLogEvents")


def keeps_undelivered_records() -> Allowed:
    """Return the permissions for the bucket of records that a stream could not deliver."""
    bucket = "Data/Undelivered/Store/Bucket.Arn"
    return on(f"{bucket}/*", "s3", "PutObject") | on(bucket, "s3", "ListBucket") | uses(RECORDS_KEY)


def reports_failed_runs() -> Allowed:
    """Return the permissions for the queue of asynchronous invocations that failed."""
    return on("Data/Undelivered/Queue.Arn", "sqs", "SendMessage") | uses(RECORDS_KEY)


def invokes(function: str) -> Allowed:
    return on(f"{function}.Arn", "lambda", "InvokeFunction") | on(f"{function}.Arn:*", "lambda", "InvokeFunction")


JUDGES = (
    table(RAW, "GetItem")
    | table(STORY, "GetItem", "PutItem")
    | on(BUNDLES, "s3", "GetObject")
    | reads(NARRATIVES_KEY)
    | writes(RECORDS_KEY)
)
TRIES = on(BUNDLES, "s3", "GetObject") | uses(RECORDS_KEY)
HOLDS = (
    table(RAW, "UpdateItem")
    | table(STORY, "Query", "UpdateItem")
    | table(CHAIN, "Query", "UpdateItem")
    | writes(NARRATIVES_KEY)
    | writes(RECORDS_KEY)
)
DELIVERS_LOGS_AND_TRACES = on(
    "*",
    "logs",
    "CreateLogDelivery",
    "DeleteLogDelivery",
    "DescribeLogGroups",
    "DescribeResourcePolicies",
    "GetLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "UpdateLogDelivery",
) | on("*", "xray", "GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments")
ALLOWED: dict[str, Allowed] = {
    "Inference/SelectModelsRole": (
        logs("Inference/SelectModels")
        | table(RAW, "GetItem")
        | table(STORY, "GetItem", "PutItem")
        | table(f"{MODELS}/index/by_state", "Query")
        | table(STRATEGIES, "Scan")
        | reads(NARRATIVES_KEY)
        | writes(RECORDS_KEY)
    ),
    "Inference/ModelInferenceRole": JUDGES | logs("Inference/ModelInference"),
    "Inference/ModelInferenceTransformersRole": JUDGES | logs("Inference/ModelInferenceTransformers"),
    "Inference/AllocateRole": (logs("Inference/Allocate") | table(STORY, "PutItem", "Query") | writes(RECORDS_KEY)),
    "Orchestration/Triage/Role": (
        invokes("Inference/SelectModels")
        | invokes("Inference/ModelInference")
        | invokes("Inference/ModelInferenceTransformers")
        | invokes("Inference/Allocate")
        | on("Data/Bus.Arn", "events", "PutEvents")
        | table(f"arn:<AWS::Partition>:dynamodb:{ACCOUNT}:table/Data/RawComplaints/Table", "UpdateItem")
        | writes(NARRATIVES_KEY)
        | DELIVERS_LOGS_AND_TRACES
    ),
    "Shadows/ShadowInferenceRole": JUDGES | logs("Shadows/ShadowInference"),
    "Shadows/ShadowInferenceTransformersRole": JUDGES | logs("Shadows/ShadowInferenceTransformers"),
    "Shadows/ShadowFailedRole": logs("Shadows/ShadowFailed") | table(STORY, "PutItem") | writes(RECORDS_KEY),
    "Shadows/Shadow/Role": (
        invokes("Shadows/ShadowInference")
        | invokes("Shadows/ShadowInferenceTransformers")
        | invokes("Shadows/ShadowFailed")
        | DELIVERS_LOGS_AND_TRACES
    ),
    "Shadows/Shadow/EventsRole": on(SHADOW_MACHINE, "states", "StartExecution"),
    "Explanations/FindDecisionRole": (logs("Explanations/FindDecision") | table(STORY, "GetItem") | reads(RECORDS_KEY)),
    "Explanations/ExplainRole": (
        JUDGES | logs("Explanations/Explain") | table(STORY, "Query") | table(RAW, "ConditionCheckItem")
    ),
    "Explanations/ExplainTransformersRole": (
        JUDGES | logs("Explanations/ExplainTransformers") | table(STORY, "Query") | table(RAW, "ConditionCheckItem")
    ),
    "Explanations/DeliverExplanationRole": (
        logs("Explanations/DeliverExplanation")
        | table(RAW, "GetItem")
        | table(STORY, "GetItem", "PutItem")
        | reads(NARRATIVES_KEY)
        | writes(RECORDS_KEY)
    ),
    "Explanations/Explanation/Role": (
        invokes("Explanations/FindDecision")
        | invokes("Explanations/Explain")
        | invokes("Explanations/ExplainTransformers")
        | DELIVERS_LOGS_AND_TRACES
    ),
    "Explanations/Explainer": (
        on(EXPLANATION_MACHINE, "states", "StartExecution")
        | on(
            f"arn:<AWS::Partition>:states:{ACCOUNT}:execution:{EXPLANATION_MACHINE}.split(:)[6]:*",
            "states",
            "DescribeExecution",
        )
        | on("Explanations/DeliverExplanation.Arn", "lambda", "InvokeFunction")
    ),
    "Audit/SealRole": (
        logs("Audit/Seal")
        | table(STORY, "BatchGetItem", "Query", "Scan")
        | table(CHAIN, "PutItem", "Query", "Scan")
        | on("Data/Anchors/Bucket.Arn/*", "s3", "PutObject")
        | reads_stream("Data/ComplaintsAllocation/Table.StreamArn", RECORDS_KEY)
        | writes(RECORDS_KEY)
        | keeps_undelivered_records()
        | reports_failed_runs()
    ),
    "Audit/EraseRole": (
        logs("Audit/Erase")
        | table(RAW, "DeleteItem", "GetItem")
        | table(STORY, "DeleteItem", "PutItem", "Query")
        | writes(NARRATIVES_KEY)
        | writes(RECORDS_KEY)
    ),
    "Audit/HoldRole": HOLDS | logs("Audit/Hold") | table(STORY, "PutItem"),
    "Audit/KeepHeldRole": (
        HOLDS | logs("Audit/KeepHeld") | table(f"{STORY}/index/by_hold", "Query") | reports_failed_runs()
    ),
    "Audit/PrivacyOfficer": (
        on("Audit/Erase.Arn", "lambda", "InvokeFunction") | on("Audit/Hold.Arn", "lambda", "InvokeFunction")
    ),
    "Audit/ReadNarrativeRole": (
        logs("Audit/ReadNarrative")
        | table(RAW, "GetItem")
        | table(STORY, "PutItem")
        | reads(NARRATIVES_KEY)
        | writes(RECORDS_KEY)
    ),
    "Audit/Auditor": (
        on("Audit/ReadNarrative.Arn", "lambda", "InvokeFunction") | on(BUNDLES, "s3", "GetObject") | uses(RECORDS_KEY)
    ),
    "Intake/IntakeRole": (
        logs("Intake/Intake")
        | table(RAW, "UpdateItem")
        | table(STORY, "BatchGetItem")
        | on(MACHINE, "states", "StartExecution")
        | reads_stream("Data/RawComplaints/Table.StreamArn", NARRATIVES_KEY)
        | writes(NARRATIVES_KEY)
        | reads(RECORDS_KEY)
        | keeps_undelivered_records()
    ),
    "Intake/SweepRole": (
        logs("Intake/Sweep")
        | table(RAW, "Scan", "UpdateItem")
        | table(STORY, "BatchGetItem")
        | table(f"{RAW}/index/by_triage_state", "Query")
        | on(MACHINE, "states", "StartExecution")
        | on(f"arn:<AWS::Partition>:states:{ACCOUNT}:execution:{MACHINE}.split(:)[6]:*", "states", "DescribeExecution")
        | on("Data/Parked.Arn", "sqs", "SendMessage")
        | writes(NARRATIVES_KEY)
        | uses(RECORDS_KEY)
        | reads(RECORDS_KEY)
        | reports_failed_runs()
    ),
    "MLOps/TryModelRole": TRIES | logs("MLOps/TryModel"),
    "MLOps/TryModelTransformersRole": TRIES | logs("MLOps/TryModelTransformers"),
    "MLOps/MirrorRole": (
        logs("MLOps/Mirror")
        | on("MLOps/TryModel.Arn", "lambda", "InvokeFunction")
        | on("MLOps/TryModelTransformers.Arn", "lambda", "InvokeFunction")
        | table(MODELS, "GetItem", "UpdateItem")
        | on(BUNDLES, "s3", "GetObject", "PutObject")
        | on(BUNDLES.removesuffix("/*"), "s3", "ListBucket")
        | reads_stream("Data/ModelInfo/Table.StreamArn", RECORDS_KEY)
        | writes(RECORDS_KEY)
        | keeps_undelivered_records()
    ),
    "Feedback/FeedbackRole": (
        logs("Feedback/Feedback")
        | table(STORY, "GetItem", "PutItem", "Query")
        | on("Data/Bus.Arn", "events", "PutEvents")
        | on("Data/Parked.Arn", "sqs", "SendMessage")
        | reads_stream("Data/ComplaintsAllocation/Table.StreamArn", RECORDS_KEY)
        | writes(RECORDS_KEY)
        | keeps_undelivered_records()
    ),
    "Promotion/SchedulePromotionsRole": (
        logs("Promotion/SchedulePromotions")
        | table(STRATEGIES, "Scan")
        | on(PROMOTION_MACHINE, "states", "StartExecution")
        | reads(RECORDS_KEY)
        | reports_failed_runs()
    ),
    "Promotion/WeighEvidenceRole": (
        logs("Promotion/WeighEvidence")
        | table(STORY, "BatchGetItem")
        | table(f"{STORY}/index/by_labelled_day", "Query")
        | table(f"{STORY}/index/by_model", "Query")
        | table(f"{STORY}/index/by_failed_version", "Query")
        | table(STRATEGIES, "GetItem")
        | on(EVIDENCE, "s3", "PutObject")
        | reads(RECORDS_KEY)
        | uses(RECORDS_KEY)
    ),
    "Promotion/ChangeStrategyRole": (
        logs("Promotion/ChangeStrategy")
        | table(MODELS, "ConditionCheckItem", "UpdateItem")
        | table(f"{MODELS}/index/by_state", "Query")
        | table(STRATEGIES, "GetItem", "PutItem")
        | table(LEDGER, "PutItem", "Query")
        | writes(RECORDS_KEY)
    ),
    "Promotion/CheckStrategyRole": (
        logs("Promotion/CheckStrategy")
        | table(f"{MODELS}/index/by_state", "Query")
        | table(STRATEGIES, "Scan")
        | reads(RECORDS_KEY)
    ),
    "Promotion/Promotion/Role": (
        invokes("Promotion/WeighEvidence")
        | invokes("Promotion/ChangeStrategy")
        | invokes("Promotion/CheckStrategy")
        | on("Data/Bus.Arn", "events", "PutEvents")
        | DELIVERS_LOGS_AND_TRACES
    ),
    "Consumers/ProductTeam": (
        table(STORY, "GetItem", "PutItem", "Query") | table(f"{STORY}/index/by_team", "Query") | writes(RECORDS_KEY)
    ),
}

FUNCTIONS = [role.removesuffix("Role") for role in ALLOWED if role.count("/") == 1 and role.endswith("Role")]
"""Construct paths. The roles of state machines and of people are named otherwise."""
