import ast
from importlib.util import find_spec

import pytest

from stacks.settings import SETTINGS
from triage.environment import (
    AllocateEnvironment,
    ChangeStrategyEnvironment,
    CheckStrategyEnvironment,
    DeliverExplanationEnvironment,
    Environment,
    EraseEnvironment,
    ExplainEnvironment,
    FeedbackEnvironment,
    FindDecisionEnvironment,
    HoldEnvironment,
    IntakeEnvironment,
    KeepHeldEnvironment,
    MirrorEnvironment,
    ModelInferenceEnvironment,
    ReadNarrativeEnvironment,
    SchedulePromotionsEnvironment,
    SealEnvironment,
    SelectModelsEnvironment,
    ShadowFailedEnvironment,
    ShadowInferenceEnvironment,
    SweepEnvironment,
    WeighEvidenceEnvironment,
)
from triage.promotion.steps import PROMOTION_STEPS
from triage.steps import STEPS

ENVIRONMENTS: dict[str, type[Environment]] = {
    "Inference/SelectModels": SelectModelsEnvironment,
    "Inference/ModelInference": ModelInferenceEnvironment,
    "Inference/ModelInferenceTransformers": ModelInferenceEnvironment,
    "Inference/Allocate": AllocateEnvironment,
    "Shadows/ShadowInference": ShadowInferenceEnvironment,
    "Shadows/ShadowInferenceTransformers": ShadowInferenceEnvironment,
    "Shadows/ShadowFailed": ShadowFailedEnvironment,
    "Intake/Intake": IntakeEnvironment,
    "Intake/Sweep": SweepEnvironment,
    "MLOps/Mirror": MirrorEnvironment,
    "Feedback/Feedback": FeedbackEnvironment,
    "Promotion/SchedulePromotions": SchedulePromotionsEnvironment,
    "Promotion/WeighEvidence": WeighEvidenceEnvironment,
    "Promotion/ChangeStrategy": ChangeStrategyEnvironment,
    "Promotion/CheckStrategy": CheckStrategyEnvironment,
    "Explanations/FindDecision": FindDecisionEnvironment,
    "Explanations/Explain": ExplainEnvironment,
    "Explanations/ExplainTransformers": ExplainEnvironment,
    "Explanations/DeliverExplanation": DeliverExplanationEnvironment,
    "Audit/Seal": SealEnvironment,
    "Audit/Erase": EraseEnvironment,
    "Audit/ReadNarrative": ReadNarrativeEnvironment,
    "Audit/Hold": HoldEnvironment,
    "Audit/KeepHeld": KeepHeldEnvironment,
}
MODULES = {
    "Inference/SelectModels": "select_models",
    "Inference/ModelInference": "model_inference",
    "Inference/ModelInferenceTransformers": "model_inference",
    "Inference/Allocate": "allocate",
    "Shadows/ShadowInference": "shadow_inference",
    "Shadows/ShadowInferenceTransformers": "shadow_inference",
    "Shadows/ShadowFailed": "shadow_failed",
    "Intake/Intake": "intake",
    "Intake/Sweep": "sweep",
    "MLOps/Mirror": "mirror",
    "Feedback/Feedback": "feedback",
    "Promotion/SchedulePromotions": "schedule_promotions",
    "Promotion/WeighEvidence": "weigh_evidence",
    "Promotion/ChangeStrategy": "change_strategy",
    "Promotion/CheckStrategy": "check_strategy",
    "Explanations/FindDecision": "find_decision",
    "Explanations/Explain": "explain",
    "Explanations/ExplainTransformers": "explain",
    "Explanations/DeliverExplanation": "deliver_explanation",
    "Audit/Seal": "seal",
    "Audit/Erase": "erase",
    "Audit/ReadNarrative": "read_narrative",
    "Audit/Hold": "hold",
    "Audit/KeepHeld": "keep_held",
}
TRANSFORMERS = (
    "Inference/ModelInferenceTransformers",
    "Shadows/ShadowInferenceTransformers",
    "Explanations/ExplainTransformers",
)
ONNX = (
    "Inference/ModelInference",
    "Shadows/ShadowInference",
    "Explanations/Explain",
    # For the redactor's library.
    "Explanations/DeliverExplanation",
)
NAMED_RESOURCES = {
    "RAW_COMPLAINTS_TABLE": "Data/RawComplaints/Table",
    "COMPLAINTS_ALLOCATION_TABLE": "Data/ComplaintsAllocation/Table",
    "AUDIT_CHAIN_TABLE": "Data/AuditChain/Table",
    "MODEL_INFO_TABLE": "Data/ModelInfo/Table",
    "MODEL_STRATEGY_TABLE": "Data/ModelStrategy/Table",
    "CHAMPION_LEDGER_TABLE": "Data/ChampionLedger/Table",
    "BUNDLES_BUCKET": "Data/Bundles/Bucket",
    "EVIDENCE_BUCKET": "Data/Evidence/Bucket",
    "PARKED_QUEUE_URL": "Data/Parked",
    "STATE_MACHINE_ARN": "Orchestration/Triage",
    "PROMOTION_MACHINE_ARN": "Promotion/Promotion",
}


def variables(synthesis, path: str) -> dict[str, str]:
    told = synthesis.functions[path]["Environment"]["Variables"]
    return {name: synthesis.readable(value) for name, value in told.items()}


def told_class_of(module: str) -> str:
    """The Environment that a module of `runtime` gives to `entry_point`, read from its source."""
    spec = find_spec(f"runtime.{module}")
    assert spec is not None and spec.loader is not None
    source = spec.loader.get_source(f"runtime.{module}")  # type: ignore[attr-defined]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "handler":
            assert isinstance(node.value, ast.Call)
            return ast.unparse(node.value.args[0])
    raise LookupError(f"runtime.{module} has no handler")


@pytest.fixture(params=ENVIRONMENTS)
def path(request) -> str:
    return str(request.param)


@pytest.fixture
def function(path, synthesis):
    return synthesis.functions[path]


def test_there_is_no_function_beside_those(synthesis):
    assert synthesis.functions.keys() == ENVIRONMENTS.keys() == MODULES.keys()


def test_every_kind_of_environment_is_told_to_a_function():
    def below(kind: type[Environment]) -> set[type[Environment]]:
        return {kind, *(name for child in kind.__subclasses__() for name in below(child))}

    ours = {kind for kind in below(Environment) - {Environment} if kind.__module__ == Environment.__module__}
    assert set(ENVIRONMENTS.values()) == ours


def test_a_function_runs_the_handler_of_its_module(path, function):
    if function.get("PackageType") == "Image":
        # The Dockerfile names that of the models that answer.
        assert "Handler" not in function
        named = function.get("ImageConfig", {}).get("Command", ["runtime.model_inference.handler"])
        assert named == [f"runtime.{MODULES[path]}.handler"]
    else:
        assert function["Handler"] == f"runtime.{MODULES[path]}.handler"


def test_a_handler_reads_the_environment_that_its_function_is_given(path):
    assert told_class_of(MODULES[path]) == ENVIRONMENTS[path].__name__


def test_every_step_has_a_function(synthesis):
    handlers = {function.get("Handler") for function in synthesis.functions.values()}
    assert {step.handler for step in (*STEPS, *PROMOTION_STEPS)} <= handlers


def test_a_function_is_told_exactly_what_it_reads(path, synthesis):
    told = variables(synthesis, path)
    fields = ENVIRONMENTS[path].model_fields
    assert told.keys() <= {name.upper() for name in fields}
    assert told.keys() >= {name.upper() for name, field in fields.items() if field.is_required()}


def test_what_a_function_is_told_can_be_read_back(path, synthesis):
    told = variables(synthesis, path)
    read = ENVIRONMENTS[path].read(told)
    assert read.variables() == told


def test_a_variable_names_the_resource_that_it_says(path, synthesis):
    told = variables(synthesis, path)
    named = told.keys() & NAMED_RESOURCES.keys()
    assert named
    assert {name: told[name] for name in named} == {name: NAMED_RESOURCES[name] for name in named}


def test_settings_reach_the_functions(synthesis):
    settings = SETTINGS[synthesis.environment]
    sweep = SweepEnvironment.read(variables(synthesis, "Intake/Sweep"))
    assert sweep.stale_after_seconds == settings.stale_after.to_seconds()
    assert sweep.max_attempts == settings.max_attempts
    judge = ModelInferenceEnvironment.read(variables(synthesis, "Inference/ModelInference"))
    assert (judge.loaded_models, judge.loaded_megabytes) == (settings.loaded_models, settings.loaded_megabytes)
    mirror = MirrorEnvironment.read(variables(synthesis, "MLOps/Mirror"))
    assert (mirror.hub_endpoint, mirror.hub_token_secret) == (settings.hub_endpoint, settings.hub_token_secret)
    assert mirror.hf_home == settings.hub_home


def test_all_functions_keep_data_equally_long_and_run_the_same_code(synthesis):
    told = [variables(synthesis, path) for path in ENVIRONMENTS]
    assert len({variables["CODE_VERSION"] for variables in told}) == 1
    days = {variables["RETENTION_DAYS"] for variables in told if "RETENTION_DAYS" in variables}
    assert days == {str(SETTINGS[synthesis.environment].retention_days)}


def test_the_hub_and_its_token_can_be_named_at_synthesis(altered):
    told = variables(altered, "MLOps/Mirror")
    assert (told["HUB_ENDPOINT"], told["HUB_TOKEN_SECRET"]) == ("http://127.0.0.1:1234", "hub/token")


def test_no_variable_holds_a_secret(path, synthesis):
    assert "resolve:" not in str(synthesis.functions[path]["Environment"])


def test_a_function_has_a_role_and_a_log_group_of_its_own(synthesis):
    for resource in ("Role", "LogGroup"):
        owned = {
            path: synthesis.readable(f["Role"] if resource == "Role" else f["LoggingConfig"]["LogGroup"])
            for path, f in synthesis.functions.items()
        }
        assert len(set(owned.values())) == len(owned)
    for path, function in synthesis.functions.items():
        assert synthesis.readable(function["Role"]) == f"{path}Role.Arn"
        assert synthesis.readable(function["LoggingConfig"]["LogGroup"]) == f"{path}Logs"


def test_logs_are_kept_as_long_as_the_settings_say(synthesis):
    groups = synthesis.stateless.of_type("AWS::Logs::LogGroup")
    # CDK's names for months and years, in days.
    days = {"ONE_MONTH": 30, "ONE_YEAR": 365}[SETTINGS[synthesis.environment].log_retention.name]
    assert {group["RetentionInDays"] for group in groups.values()} == {days}


def test_functions_run_on_arm(function):
    assert function["Architectures"] == ["arm64"]


def test_control_and_onnx_functions_are_zip_packages_everywhere(path, function):
    if path not in TRANSFORMERS:
        assert "ImageUri" not in function["Code"]
        assert function["Runtime"] == "python3.14"


@pytest.mark.parametrize("path", TRANSFORMERS)
def test_the_transformers_functions_are_images_on_aws_and_zip_packages_locally(synthesis, path):
    function = synthesis.functions[path]
    is_image = function.get("PackageType") == "Image"
    assert is_image is ("ImageUri" in function["Code"])
    assert is_image is (synthesis.environment != "local")


def test_zip_functions_bring_their_libraries_on_aws_and_borrow_them_locally(path, function, synthesis):
    brings = function.get("PackageType") != "Image" and synthesis.environment != "local"
    layers = [synthesis.readable(layer) for layer in function.get("Layers", [])]
    layer = "Packages/Onnx" if path in ONNX else "Packages/Control"
    assert layers == ([layer] if brings else [])


def test_inference_is_bounded_and_one_sweep_runs_at_a_time(path, function, synthesis):
    bound = SETTINGS[synthesis.environment].inference_concurrency
    shadows = SETTINGS[synthesis.environment].shadow_concurrency
    explanations = SETTINGS[synthesis.environment].explanation_concurrency
    expected = {
        "Inference/ModelInference": bound,
        "Inference/ModelInferenceTransformers": bound,
        **dict.fromkeys((path for path in MODULES if path.startswith("Shadows/")), shadows),
        **dict.fromkeys((path for path in MODULES if path.startswith("Explanations/")), explanations),
        "Intake/Sweep": 1,
    }
    assert function.get("ReservedConcurrentExecutions") == expected.get(path)


def test_the_mirror_has_room_for_the_largest_bundle_it_takes(synthesis):
    function = synthesis.functions["MLOps/Mirror"]
    megabytes = MirrorEnvironment.read(variables(synthesis, "MLOps/Mirror")).max_bundle_megabytes
    assert function["EphemeralStorage"]["Size"] >= 2 * megabytes


@pytest.mark.parametrize("path", ["Inference/ModelInference", "Shadows/ShadowInference", "Explanations/Explain"])
def test_inference_has_memory_for_its_models(synthesis, path):
    """Settings: a session takes two and a half times its files; the interpreter and its libraries about 100 MB."""
    function, megabytes = synthesis.functions[path], SETTINGS[synthesis.environment].loaded_megabytes
    assert function["MemorySize"] >= 100 + 2.5 * megabytes
    assert function["EphemeralStorage"]["Size"] >= megabytes


def test_a_function_ends_before_its_caller_stops_waiting(synthesis):
    states = synthesis.definition["States"] | synthesis.definition["States"]["EachModel"]["ItemProcessor"]["States"]
    for name, step in states.items():
        # But for a model that another stands in for: nobody waits for its end.
        if name.endswith("Briefly"):
            continue
        if step["Type"] == "Task" and step["Resource"].removesuffix(".Arn") in synthesis.functions:
            assert synthesis.functions[step["Resource"].removesuffix(".Arn")]["Timeout"] < step["TimeoutSeconds"]
