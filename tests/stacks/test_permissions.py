"""The policies of each role are those of `tests/stacks/permissions.py`. MiniStack enforces only those of functions."""

import pytest

from stacks.settings import SETTINGS
from tests.stacks.conftest import BOUNDARY
from tests.stacks.permissions import (
    ACCOUNT,
    ALLOWED,
    CHAIN,
    EXPLANATION_MACHINE,
    MACHINE,
    NARRATIVES_KEY,
    RAW,
    STORY,
    Allowed,
    on,
)
from triage.feedback import INBOX, OURS, WRITABLE

HOLDING = ("Audit/HoldRole", "Audit/KeepHeldRole")


def bounds(synthesis, role: str, where: str, action: str):
    """The condition of the statement that allows an action on a resource."""
    (found,) = (
        statement
        for statement in synthesis.statements(role)
        if action in listed(statement["Action"])
        and where in {synthesis.readable(resource) for resource in listed(statement["Resource"])}
    )
    return found["Condition"]


def listed(value):
    return value if isinstance(value, list) else [value]


def permissions(synthesis, role: str) -> Allowed:
    region = SETTINGS[synthesis.environment].region
    return {(action, resource.replace(region, "<region>")) for action, resource in synthesis.permissions(role)}


def reads_the_hubs_token(synthesis, role: str) -> Allowed:
    """The mirror may read the token of a Hub that asks for one."""
    secret = SETTINGS[synthesis.environment].hub_token_secret
    if secret is None or role != "MLOps/MirrorRole":
        return set()
    arn = f"arn:<AWS::Partition>:secretsmanager:{ACCOUNT}:secret:{secret}-??????"
    return on(arn, "secretsmanager", "DescribeSecret", "GetSecretValue")


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_exactly_what_it_needs(synthesis, role):
    assert permissions(synthesis, role) == ALLOWED[role] | reads_the_hubs_token(synthesis, role)


def test_there_is_no_role_beside_those(synthesis):
    assert synthesis.stateless.of_type("AWS::IAM::Role").keys() == ALLOWED.keys()
    # What empties buckets before they are deleted has the role that the CDK gives it.
    others = {role for role in synthesis.stateful.of_type("AWS::IAM::Role") if "AutoDeleteObjects" not in role}
    assert not others
    assert bool(synthesis.stateful.of_type("AWS::IAM::Role")) is SETTINGS[synthesis.environment].empties_buckets


def test_every_policy_belongs_to_one_of_those_roles(synthesis):
    for template in synthesis.templates:
        for kind in (
            "AWS::IAM::ManagedPolicy",
            "AWS::IAM::UserPolicy",
            "AWS::IAM::GroupPolicy",
            "AWS::IAM::RolePolicy",
        ):
            assert not template.of_type(kind)
    for policy in synthesis.stateless.of_type("AWS::IAM::Policy").values():
        assert not {"Users", "Groups"} & policy.keys()
        assert {synthesis.readable(role) for role in policy["Roles"]} <= ALLOWED.keys()


def test_no_role_has_a_managed_policy(synthesis):
    """AWS's managed policies allow actions on every resource of an account."""
    roles = synthesis.stateless.of_type("AWS::IAM::Role")
    assert not [path for path, role in roles.items() if role.get("ManagedPolicyArns")]


def test_every_statement_allows_and_none_is_written_by_exclusion(synthesis):
    for role in ALLOWED:
        for statement in synthesis.statements(role):
            assert statement["Effect"] == "Allow"
            assert statement.keys() <= {"Effect", "Action", "Resource", "Condition", "Sid"}


def test_no_action_is_a_wildcard(synthesis):
    assert not [a for role in ALLOWED for a, _ in synthesis.permissions(role) if "*" in a or "?" in a]


def test_only_log_delivery_and_tracing_reach_every_resource(synthesis):
    everywhere = {(role, action) for role in ALLOWED for action, where in synthesis.permissions(role) if where == "*"}
    assert {role for role, _ in everywhere} == {
        "Orchestration/Triage/Role",
        "Promotion/Promotion/Role",
        "Shadows/Shadow/Role",
        "Explanations/Explanation/Role",
    }
    assert {action.split(":")[0] for _, action in everywhere} == {"logs", "xray"}


def test_a_wildcard_stays_within_one_resource_of_ours(synthesis):
    """Such as the objects of a bucket, the versions of a function or the executions of a state machine."""
    wild = {where for role in ALLOWED for _, where in synthesis.permissions(role) if "*" in where} - {"*"}
    assert all(where.count("*") == 1 and where.endswith(("/*", ":*")) for where in wild)
    owners = {where[:-2] for where in wild}
    started = tuple(f":execution:{machine}." for machine in (MACHINE, EXPLANATION_MACHINE))
    assert all(owner.endswith(".Arn") or any(name in owner for name in started) for owner in owners)


def test_only_what_judges_selects_explains_or_audits_may_get_a_raw_complaint(synthesis):
    readers = {role for role in ALLOWED if ("dynamodb:GetItem", RAW) in synthesis.permissions(role)}
    # `erase` may only see whether a complaint is being triaged.
    bound = bounds(synthesis, "Audit/EraseRole", RAW, "dynamodb:GetItem")
    assert bound["ForAllValues:StringEquals"] == {"dynamodb:Attributes": ["complaint_id", "triage_state"]}
    assert readers - {"Audit/EraseRole"} == {
        "Audit/ReadNarrativeRole",
        "Inference/SelectModelsRole",
        "Inference/ModelInferenceRole",
        "Inference/ModelInferenceTransformersRole",
        "Shadows/ShadowInferenceRole",
        "Shadows/ShadowInferenceTransformersRole",
        "Explanations/ExplainRole",
        "Explanations/ExplainTransformersRole",
        "Explanations/DeliverExplanationRole",
    }


@pytest.mark.parametrize(
    "role",
    [
        "Intake/IntakeRole",
        "Intake/SweepRole",
        "Orchestration/Triage/Role",
        "Shadows/Shadow/Role",
        "Explanations/Explanation/Role",
        "Explanations/Explainer",
    ],
)
def test_what_only_moves_complaints_cannot_get_one(synthesis, role):
    actions = {action for action, resource in synthesis.permissions(role) if resource.startswith(RAW)}
    assert not actions & {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:TransactGetItems"}


def test_whoever_may_not_get_a_raw_complaint_cannot_scan_for_it_either(synthesis):
    for role in ("Intake/IntakeRole", "Intake/SweepRole"):
        for statement in synthesis.statements(role):
            where = {synthesis.readable(resource) for resource in listed(statement["Resource"])}
            if RAW in where and {"dynamodb:Scan", "dynamodb:Query"} & {*listed(statement["Action"])}:
                assert "dynamodb:Attributes" in str(statement.get("Condition"))


def test_no_function_puts_a_raw_complaint_and_only_erase_deletes_one(synthesis):
    """Operations put complaints. Our functions update nothing but the outbox attributes."""
    assert ("dynamodb:DeleteItem", RAW) in synthesis.permissions("Audit/EraseRole")
    writes = {
        action
        for role in ALLOWED.keys() - {"Audit/EraseRole"}
        for action, resource in synthesis.permissions(role)
        if "RawComplaints" in resource and action.startswith("dynamodb:")
    }
    assert not writes & {"dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}


def test_a_story_is_only_ever_added_to_but_for_holds_and_erasure(synthesis):
    others = ALLOWED.keys() - {"Audit/EraseRole", *HOLDING}
    actions = {a for role in others for a, resource in synthesis.permissions(role) if resource.startswith(STORY)}
    assert not actions & {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}


@pytest.mark.parametrize("role", HOLDING)
@pytest.mark.parametrize(("where", "keys"), [(RAW, ["triage_held"]), (STORY, ["entry"]), (CHAIN, ["sequence"])])
def test_a_hold_changes_when_something_expires_and_nothing_else(synthesis, role, where, keys):
    """The policy has to name the keys, too: AWS refuses a request with an attribute that it does not name."""
    bound = bounds(synthesis, role, where, "dynamodb:UpdateItem")["ForAllValues:StringEquals"]
    assert bound == {"dynamodb:Attributes": sorted(["complaint_id", "expires_at", *keys])}


def test_a_chain_is_written_by_what_seals_alone_and_never_rewritten(synthesis):
    writers = {
        (role, action)
        for role in ALLOWED
        for action, where in synthesis.permissions(role)
        if where.startswith(CHAIN) and action.removeprefix("dynamodb:") not in {"Query", "GetItem", "Scan"}
    }
    assert writers == {("Audit/SealRole", "dynamodb:PutItem"), *((role, "dynamodb:UpdateItem") for role in HOLDING)}


def test_no_person_reaches_a_table_of_complaints_but_product_teams_their_allocations(synthesis):
    for role in ("Audit/Auditor", "Audit/PrivacyOfficer", "Explanations/Explainer"):
        assert not [action for action, _ in synthesis.permissions(role) if action.startswith("dynamodb:")]


def test_product_teams_reach_nothing_of_raw_complaints(synthesis):
    allowed = synthesis.permissions("Consumers/ProductTeam")
    assert not [(a, resource) for a, resource in allowed if "RawComplaints" in resource or "Narratives" in resource]


def test_product_teams_write_feedback_and_nothing_else(synthesis):
    """They can write no entry of a story, no attribute of the index by team, and no outcome of feedback."""
    (writing,) = (
        statement
        for statement in synthesis.statements("Consumers/ProductTeam")
        if "dynamodb:PutItem" in listed(statement["Action"])
    )
    assert listed(writing["Action"]) == ["dynamodb:PutItem"]
    assert writing["Condition"]["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": [f"{INBOX}*"]}
    writable = set(writing["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])
    assert writable == {"complaint_id", "entry", *WRITABLE}
    assert not writable & {"product_team", "allocated_at", "model_version", *OURS}


def test_only_an_explainer_may_have_a_decision_explained(synthesis):
    """Its role reaches neither complaints nor stories, and cannot use their keys."""
    wanted = {("states:StartExecution", EXPLANATION_MACHINE)}
    assert {role for role in ALLOWED if wanted & synthesis.permissions(role)} == {"Explanations/Explainer"}
    assert {a.split(":")[0] for a, _ in synthesis.permissions("Explanations/Explainer")} == {"states", "lambda"}


def test_the_key_of_narratives_serves_only_who_touches_raw_complaints(synthesis):
    users = {role for role in ALLOWED if any(where == NARRATIVES_KEY for _, where in synthesis.permissions(role))}
    touching = {role for role in ALLOWED if any("RawComplaints" in where for _, where in synthesis.permissions(role))}
    assert users == touching


@pytest.mark.parametrize("role", [role for role in ALLOWED if role.count("/") == 1 and role.endswith("Role")])
def test_a_functions_role_is_for_lambda_alone(synthesis, role):
    (trust,) = synthesis.stateless.of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert (trust["Action"], trust["Principal"]) == ("sts:AssumeRole", {"Service": "lambda.amazonaws.com"})


def test_product_teams_are_of_this_account(synthesis):
    role = synthesis.stateless.of_type("AWS::IAM::Role")["Consumers/ProductTeam"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert synthesis.readable(trust["Principal"]["AWS"]) == "arn:<AWS::Partition>:iam::<AWS::AccountId>:root"


PERSONS = [role for role in ALLOWED if not role.endswith("Role")]
SMOKE_TESTED = {"Explanations/Explainer", "Audit/PrivacyOfficer"}
"""The roles that `triage smoke` takes, also from GitHub Actions."""


def trusts(synthesis, role):
    return synthesis.stateless.of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]


@pytest.mark.parametrize("role", PERSONS)
def test_a_persons_role_is_taken_by_this_account_alone(synthesis, role):
    for trust in trusts(synthesis, role):
        assert trust["Principal"].keys() == {"AWS"}
        assert synthesis.readable(trust["Principal"]["AWS"]) == "arn:<AWS::Partition>:iam::<AWS::AccountId>:root"


@pytest.mark.parametrize("role", PERSONS)
def test_people_take_a_role_with_a_second_factor_on_aws(synthesis, role):
    """The embedded AWS has no second factor."""
    settings = SETTINGS[synthesis.environment]
    assert settings.second_factor is (synthesis.environment != "local")
    people, *jobs = trusts(synthesis, role)
    assert people.get("Condition") == (
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}} if settings.second_factor else None
    )
    assert bool(jobs) is (settings.second_factor and role in SMOKE_TESTED)
    for trust in jobs:
        ((operator, condition),) = trust["Condition"].items()
        assert (operator, condition.keys()) == ("ArnLike", {"aws:PrincipalArn"})
        named = f"arn:<AWS::Partition>:iam::<AWS::AccountId>:role/{settings.check_role}*"
        assert synthesis.readable(condition["aws:PrincipalArn"]) == named


def test_every_role_has_the_boundary_that_is_named_at_synthesis(altered):
    """Also the roles that the CDK makes for itself."""
    roles = {path: role for each in altered.templates for path, role in each.of_type("AWS::IAM::Role").items()}
    assert roles.keys() > ALLOWED.keys()
    assert {role.get("PermissionsBoundary") for role in roles.values()} == {BOUNDARY}


def test_no_role_has_a_boundary_where_none_is_named(synthesis):
    for template in synthesis.templates:
        assert not [path for path, role in template.of_type("AWS::IAM::Role").items() if "PermissionsBoundary" in role]


def test_a_function_may_be_invoked_by_its_own_schedules_alone(synthesis):
    rules = synthesis.stateless.of_type("AWS::Events::Rule").keys()
    for permission in synthesis.stateless.of_type("AWS::Lambda::Permission").values():
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["Principal"] == "events.amazonaws.com"
        assert synthesis.readable(permission["FunctionName"]) in {
            "Audit/KeepHeld.Arn",
            "Audit/Seal.Arn",
            "Intake/Sweep.Arn",
            "Promotion/SchedulePromotions.Arn",
        }
        assert synthesis.readable(permission["SourceArn"]).removesuffix(".Arn") in rules


def test_the_mirror_reads_the_hubs_token_where_there_is_one(altered):
    secret = f"arn:<AWS::Partition>:secretsmanager:{ACCOUNT}:secret:hub/token-??????"
    read = on(secret, "secretsmanager", "DescribeSecret", "GetSecretValue")
    assert permissions(altered, "MLOps/MirrorRole") == ALLOWED["MLOps/MirrorRole"] | read
