"""Imports run one way: `stacks → triage ← runtime`, and whoever stands further out may look further in."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "triage": set[str](),
    "runtime": {"triage"},
    "stacks": {"triage"},
    "training": {"triage"},
    "local": {"runtime", "triage"},
    "cli": {"local", "runtime.adapters", "training", "triage"},
}
"""Of our packages, beside itself. `app.py` alone imports `stacks`."""

OURS = {*MAY_IMPORT, "tests", "console"}
FORBIDDEN = {
    "triage": {"aws_cdk", "boto3", "botocore", "constructs", "huggingface_hub", "aws_lambda_powertools"},
    "runtime": {"aws_cdk", "constructs"},
    "stacks": {"boto3", "botocore"},
    "training": {"aws_cdk", "boto3", "constructs"},
    "local": {"aws_cdk", "constructs"},
    "cli": {"aws_cdk", "constructs"},
}
HEAVY = {"numpy", "onnxruntime", "safetensors", "tokenizers", "torch", "transformers"}
ENGINES = {"triage/inference/onnx_engine.py", "triage/inference/transformers_engine.py"}


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"{package} is empty"
    return found


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def imported(module: Path) -> Iterator[tuple[str, ast.AST]]:
    """Dotted names of all imports, also of those inside functions and behind TYPE_CHECKING."""
    package = ".".join(module.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            yield from ((f"{origin}.{alias.name}", node) for alias in node.names)


def is_within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when a module is imported: bodies of functions do not, their defaults and decorators do."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*child.decorator_list, child.args):
                yield part
                yield from at_import(part)
        elif not isinstance(child, ast.Lambda):
            yield child
            yield from at_import(child)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_inwards(package):
    allowed = MAY_IMPORT[package] | {package}
    wrong = {
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules(package)
        for name, _ in imported(module)
        if is_within(name, OURS) and not is_within(name, allowed)
    }
    assert not wrong


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_keeps_to_its_own_libraries(package):
    wrong = {
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules(package)
        for name, _ in imported(module)
        if is_within(name, FORBIDDEN[package])
    }
    assert not wrong


def test_the_application_deploys_stacks_and_knows_nothing_else_of_ours():
    ours = {name for name, _ in imported(ROOT / "app.py") if is_within(name, OURS)}
    assert ours and all(is_within(name, {"stacks"}) for name in ours)


@pytest.mark.parametrize("package", ["triage", "runtime", "stacks", "local", "cli"])
def test_only_the_engines_import_what_computes(package):
    heavy = {
        module.relative_to(ROOT).as_posix()
        for module in modules(package)
        for name, _ in imported(module)
        if is_within(name, HEAVY)
    }
    assert heavy <= ENGINES


def test_the_engines_do_import_it():
    """So that the test above can fail."""
    for engine in ENGINES:
        assert any(is_within(name, HEAVY) for name, _ in imported(ROOT / engine))


def test_an_engine_is_imported_by_nobody_at_import():
    """Whoever needs one imports it inside a function: the other engine's libraries may be absent."""
    engines = {engine.removesuffix(".py").replace("/", ".") for engine in ENGINES}
    eager = {
        f"{module.relative_to(ROOT)} imports {name}"
        for package in MAY_IMPORT
        for module in modules(package)
        for name, node in imported(module)
        if is_within(name, engines) and node in set(at_import(parsed(module)))
    }
    assert not eager


@pytest.mark.parametrize("module", sorted((ROOT / "runtime").glob("*.py")), ids=lambda path: str(path.stem))
def test_a_handler_knows_no_other_handler(module):
    """What two functions share is in the domain, an adapter, or `runtime.function`."""
    shared = {"runtime.adapters", "runtime.function"}
    assert not {n for n, _ in imported(module) if is_within(n, {"runtime"}) and not is_within(n, shared)}


@pytest.mark.parametrize("package", ["triage", "runtime", "stacks", "training"])
def test_nothing_reads_the_environment_at_import(package):
    """`os.environ` itself may be named, as the default of a parameter; what it holds may not be asked for."""
    wrong = [
        f"{module.relative_to(ROOT)}:{node.lineno}"
        for module in modules(package)
        for node in at_import(parsed(module))
        if isinstance(node, ast.Subscript | ast.Call | ast.Compare)
        if any(name in ast.unparse(node) for name in ("os.environ", "os.getenv"))
    ]
    assert not wrong


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_the_environment_is_read_under_its_full_name(package):
    """So that the test above finds it."""
    hidden = {"os.environ", "os.environb", "os.getenv"}
    assert not [m for m in modules(package) for name, _ in imported(m) if name in hidden]


@pytest.mark.parametrize("package", ["runtime", "triage"])
def test_no_client_is_built_at_import(package):
    wrong = [
        f"{module.relative_to(ROOT)}:{node.lineno}"
        for module in modules(package)
        for node in at_import(parsed(module))
        if isinstance(node, ast.Call) and is_within(ast.unparse(node.func), {"boto3", "HfApi"})
    ]
    assert not wrong


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter that ran the statement."""
    command = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_domain_loads_neither_aws_nor_what_computes():
    names = [
        ".".join(module.relative_to(ROOT).with_suffix("").parts)
        for module in modules("triage")
        if module.relative_to(ROOT).as_posix() not in ENGINES and module.name != "__init__.py"
    ]
    assert not loaded_by(f"import {', '.join(names)}") & (FORBIDDEN["triage"] | HEAVY)


def test_the_inference_handler_loads_no_engine_before_its_first_call():
    assert not loaded_by("import runtime.model_inference") & {"onnxruntime", "torch", "transformers", "aws_cdk"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os\nos.environ['A']", True),
        ("import os\ndef f(variables=os.environ): ...", False),
        ("import os\ndef f(a=os.environ['A']): ...", True),
        ("import os\ndef f():\n    return os.environ['A']", False),
        ("import os\nclass A:\n    a = os.environ['A']", True),
    ],
)
def test_what_runs_at_import_is_told_from_what_does_not(source, expected):
    assert any(isinstance(node, ast.Subscript) for node in at_import(ast.parse(source))) is expected
