import ast
import re
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest

from runtime.adapters.trials import ANSWERS_WITHIN
from stacks.function import filled, reserved_concurrency
from stacks.settings import SETTINGS
from triage.bundle import Engine
from triage.functions import (
    DELIVER_EXPLANATION,
    EXPLAIN,
    FUNCTIONS,
    MODEL_INFERENCE,
    SHADOW_INFERENCE,
    STEPS,
    TRY_MODEL,
    AllocateEnvironment,
    Environment,
    Function,
    MeasuringEnvironment,
    MirrorEnvironment,
    ModelInferenceEnvironment,
    SweepEnvironment,
)
from triage.inference.memory import NEEDS
from triage.tables import TABLES

DOCS = Path(__file__).parents[2] / "docs"
DEPLOY, OPERATIONS = DOCS / "deploy.md", DOCS / "operations.md"

JUDGING = (MODEL_INFERENCE, SHADOW_INFERENCE, EXPLAIN)
LOADING = (*JUDGING, TRY_MODEL)
"""Each is deployed once for each engine, and loads models."""

WITH_ONNX = (*LOADING, DELIVER_EXPLANATION)
"""Delivery runs no model. It needs the redactor's library, which is in the same layer."""

NAMED_RESOURCES = {
    **{f"{spec.name}_table".upper(): f"Data/{spec.name.title().replace('_', '')}/Table" for spec in TABLES},
    "BUNDLES_BUCKET": "Data/Bundles/Bucket",
    "EVIDENCE_BUCKET": "Data/Evidence/Bucket",
    "PARKED_QUEUE_URL": "Data/Parked",
    "BUS_NAME": "Data/Bus",
    "STATE_MACHINE_ARN": "Orchestration/Triage",
    "PROMOTION_MACHINE_ARN": "Promotion/Promotion",
}


def name_of(path: str) -> str:
    """The name of a function by its construct path: `Inference/SelectModels` is `select_models`."""
    construct = path.rpartition("/")[2].removesuffix("Transformers")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", construct).lower()


def is_transformers(path: str) -> bool:
    return path.endswith("Transformers")


def deployed(function: Function, synthesis) -> list[str]:
    """The construct paths of a function: one, or one for each engine."""
    return [path for path in synthesis.functions if name_of(path) == function.name]


def variables(synthesis, path: str) -> dict[str, str]:
    written = synthesis.functions[path]["Environment"]["Variables"]
    return {name: synthesis.readable(value) for name, value in written.items()}


def environment_of(module: str) -> str:
    """The name of the Environment that a module of `runtime` gives to `entry_point`, read from its source."""
    spec = find_spec(f"runtime.{module}")
    assert spec is not None and spec.loader is not None
    source = spec.loader.get_source(f"runtime.{module}")  # type: ignore[attr-defined]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "handler":
            assert isinstance(node.value, ast.Call)
            return ast.unparse(node.value.args[0])
    raise LookupError(f"runtime.{module} has no handler")


@pytest.fixture(params=FUNCTIONS, ids=lambda function: function.name)
def function(request) -> Function:
    assert isinstance(request.param, Function)
    return request.param


@pytest.fixture
def paths(function, synthesis) -> list[str]:
    return deployed(function, synthesis)


def test_every_function_is_deployed_and_no_other(synthesis):
    assert {name_of(path) for path in synthesis.functions} == {function.name for function in FUNCTIONS}


def test_a_function_is_deployed_once_or_once_for_each_engine(function, paths):
    assert sorted(map(is_transformers, paths)) == ([False, True] if function in LOADING else [False])


def test_names_and_environments_belong_to_one_function_each():
    assert len({function.name for function in FUNCTIONS}) == len(FUNCTIONS)
    for function in FUNCTIONS:
        assert function.environment.__name__ == function.name.title().replace("_", "") + "Environment"


def test_every_kind_of_environment_belongs_to_a_function():
    def below(kind: type[Environment]) -> set[type[Environment]]:
        return {kind, *(name for child in kind.__subclasses__() for name in below(child))}

    ours = {
        kind
        for kind in below(Environment) - {Environment, MeasuringEnvironment}
        if kind.__module__ == Environment.__module__
    }
    assert {function.environment for function in FUNCTIONS} == ours


def test_a_function_runs_the_handler_of_its_module(function, paths, synthesis):
    for properties in (synthesis.functions[path] for path in paths):
        if properties.get("PackageType") == "Image":
            assert "Handler" not in properties
            # The Dockerfile names the handler of `model_inference`.
            named = properties.get("ImageConfig", {}).get("Command", [MODEL_INFERENCE.handler])
            assert named == [function.handler]
        else:
            assert properties["Handler"] == function.handler


def test_a_handler_reads_the_environment_that_its_function_is_given(function):
    assert environment_of(function.name) == function.environment.__name__


def test_something_invokes_every_function(function, paths, synthesis):
    """A state machine or a person by its role, a stream, or a schedule."""
    allowed = {
        where.removesuffix(".Arn")
        for role in synthesis.stateless.of_type("AWS::IAM::Role")
        for action, where in synthesis.permissions(role)
        if action == "lambda:InvokeFunction"
    }
    streams = synthesis.stateless.of_type("AWS::Lambda::EventSourceMapping").values()
    rules = synthesis.stateless.of_type("AWS::Lambda::Permission").values()
    triggered = {synthesis.readable(part["FunctionName"]).removesuffix(".Arn") for part in (*streams, *rules)}
    assert {*paths} <= (allowed if function in STEPS else triggered)


def test_a_function_is_told_exactly_what_it_reads(function, paths, synthesis):
    fields = function.environment.model_fields
    for path in paths:
        written = variables(synthesis, path)
        assert written.keys() <= {name.upper() for name in fields}
        assert written.keys() >= {name.upper() for name, field in fields.items() if field.is_required()}
        assert function.environment.read(written).variables() == written


def test_a_variable_names_the_resource_that_it_says(paths, synthesis):
    for path in paths:
        written = variables(synthesis, path)
        named = written.keys() & NAMED_RESOURCES.keys()
        assert named
        assert {name: written[name] for name in named} == {name: NAMED_RESOURCES[name] for name in named}


def test_a_field_without_a_known_value_stops_the_synthesis():
    missing = "audit_share, code_version, metrics_namespace, retention_days"
    with pytest.raises(LookupError, match=rf"AllocateEnvironment: no value is known for {missing}\."):
        filled(AllocateEnvironment, {"complaints_allocation_table": "allocations", "another": "value"})


def test_settings_reach_the_functions(synthesis):
    settings = SETTINGS[synthesis.environment]
    sweep = SweepEnvironment.read(variables(synthesis, "Intake/Sweep"))
    assert sweep.stale_after_seconds == settings.stale_after.to_seconds()
    assert sweep.max_attempts == settings.max_attempts
    judge = ModelInferenceEnvironment.read(variables(synthesis, "Inference/ModelInference"))
    assert (judge.loaded_models, judge.loaded_megabytes) == (settings.loaded_models, settings.loaded_megabytes)
    mirror = MirrorEnvironment.read(variables(synthesis, "MLOps/Mirror"))
    assert (mirror.hub_endpoint, mirror.hub_token_secret) == (settings.hub_endpoint, settings.hub_token_secret)
    assert mirror.hf_home == settings.hf_home


def test_all_functions_keep_data_equally_long_and_run_the_same_code(synthesis):
    written = [variables(synthesis, path) for path in synthesis.functions]
    assert len({variables["CODE_VERSION"] for variables in written}) == 1
    days = {variables["RETENTION_DAYS"] for variables in written if "RETENTION_DAYS" in variables}
    assert days == {str(SETTINGS[synthesis.environment].retention_days)}


def test_the_hub_and_its_token_can_be_named_at_synthesis(altered):
    written = variables(altered, "MLOps/Mirror")
    assert (written["HUB_ENDPOINT"], written["HUB_TOKEN_SECRET"]) == ("http://127.0.0.1:1234", "hub/token")


def test_no_variable_holds_a_secret(synthesis):
    for function in synthesis.functions.values():
        assert "resolve:" not in str(function["Environment"])


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


def test_functions_run_on_arm(synthesis):
    for function in synthesis.functions.values():
        assert function["Architectures"] == ["arm64"]


def test_transformers_functions_are_images_on_aws_and_every_other_is_a_zip_package(synthesis):
    for path, function in synthesis.functions.items():
        is_image = is_transformers(path) and synthesis.environment != "local"
        assert is_image is (function.get("PackageType") == "Image") is ("ImageUri" in function["Code"])
        assert is_image or function["Runtime"] == "python3.14"


def test_zip_functions_have_a_layer_on_aws_and_the_libraries_of_the_host_locally(function, paths, synthesis):
    for path in paths:
        has_layer = synthesis.functions[path].get("PackageType") != "Image" and synthesis.environment != "local"
        layers = [synthesis.readable(layer) for layer in synthesis.functions[path].get("Layers", [])]
        layer = "Packages/Onnx" if function in WITH_ONNX else "Packages/Control"
        assert layers == ([layer] if has_layer else [])


def test_inference_alone_is_bounded_and_only_where_the_settings_say_so(synthesis):
    """Every other function does little, and is told to wait by nobody but the account's own limit."""
    settings = SETTINGS[synthesis.environment]
    bounds = {
        MODEL_INFERENCE.name: settings.inference_concurrency,
        SHADOW_INFERENCE.name: settings.shadow_concurrency,
        EXPLAIN.name: settings.explanation_concurrency,
    }
    for path, function in synthesis.functions.items():
        assert function.get("ReservedConcurrentExecutions") == bounds.get(name_of(path)), path


def test_dev_deploys_in_a_new_account(dev):
    """A new account has a concurrency of 10, and Lambda refuses a reservation that leaves less than 100."""
    assert reserved_concurrency(dev.stateless.document) == 0


def test_the_operations_guide_states_what_each_environment_reserves(synthesis):
    reserved = reserved_concurrency(synthesis.stateless.document)
    (row,) = re.findall(r"^\| reserved concurrency, in total \|(.*)\|$", DEPLOY.read_text(), re.MULTILINE)
    assert dict(zip(SETTINGS, map(int, row.split("|")), strict=True))[synthesis.environment] == reserved
    if synthesis.environment == "prod":
        needed = reserved + 100
        assert f"at least {needed}" in DEPLOY.read_text()


def test_reservations_are_counted_over_all_functions():
    def function(**properties):
        return {"Type": "AWS::Lambda::Function", "Properties": properties}

    table = {"Type": "AWS::DynamoDB::Table", "Properties": {}}
    resources = {"A": function(ReservedConcurrentExecutions=3), "B": function(), "C": table}
    resources["D"] = function(ReservedConcurrentExecutions=4)
    assert reserved_concurrency({"Resources": resources}) == 7


@pytest.mark.parametrize("function", LOADING, ids=lambda function: function.name)
def test_what_the_mirror_takes_fits_into_every_function_that_loads_it(paths, synthesis):
    largest = MirrorEnvironment.read(variables(synthesis, "MLOps/Mirror")).largest
    for path in paths:
        engine: Engine = "transformers" if is_transformers(path) else "onnx"
        properties = synthesis.functions[path]
        assert NEEDS[engine].megabytes(largest[engine]) <= properties["MemorySize"]
        assert largest[engine] * 1e6 <= properties["EphemeralStorage"]["Size"] * 2**20
        # Not much smaller either: a few megabytes more would not fit.
        assert NEEDS[engine].megabytes(largest[engine] + 2) > properties["MemorySize"]


def test_the_operations_guide_states_the_largest_bundles(dev):
    mirror = MirrorEnvironment.read(variables(dev, "MLOps/Mirror"))
    figures = (mirror.max_bundle_megabytes, *(mirror.largest[engine] for engine in get_args(Engine)))
    stated = "more than {:,} MB, or the engine would load more than {:,} MB (ONNX) or {:,} MB (transformers)"
    assert stated.format(*figures) in OPERATIONS.read_text()


def test_the_mirror_has_room_for_the_largest_bundle_it_takes(synthesis):
    function = synthesis.functions["MLOps/Mirror"]
    megabytes = MirrorEnvironment.read(variables(synthesis, "MLOps/Mirror")).max_bundle_megabytes
    assert function["EphemeralStorage"]["Size"] >= 2 * megabytes


@pytest.mark.parametrize("engine", get_args(Engine))
def test_a_model_is_tried_where_it_would_be_served(synthesis, engine):
    """A function with more memory or time would take models that triage cannot serve."""
    mirror = MirrorEnvironment.read(variables(synthesis, "MLOps/Mirror"))
    suffix = "Transformers" if engine == "transformers" else ""
    assert mirror.trials[engine] == f"MLOps/TryModel{suffix}"
    serving, trying = (
        synthesis.functions[f"{path}{suffix}"] for path in ("Inference/ModelInference", "MLOps/TryModel")
    )
    for name in ("MemorySize", "EphemeralStorage", "Timeout", "Layers", "Architectures", "PackageType"):
        assert serving.get(name) == trying.get(name), name


def test_the_mirror_waits_for_a_trial_and_has_time_left(synthesis):
    trials = (synthesis.functions[path] for path in deployed(TRY_MODEL, synthesis))
    assert max(trial["Timeout"] for trial in trials) < ANSWERS_WITHIN
    # The rest is for the files, which come first.
    assert synthesis.functions["MLOps/Mirror"]["Timeout"] > 2 * ANSWERS_WITHIN


@pytest.mark.parametrize("function", LOADING, ids=lambda function: function.name)
def test_inference_has_memory_for_its_models(paths, synthesis):
    megabytes = SETTINGS[synthesis.environment].loaded_megabytes
    for path in paths:
        properties = synthesis.functions[path]
        assert properties["MemorySize"] >= NEEDS["transformers" if is_transformers(path) else "onnx"].megabytes(
            megabytes
        )
        assert properties["EphemeralStorage"]["Size"] >= megabytes
