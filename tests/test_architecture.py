"""Which package may import which: `stacks → triage ← runtime`; outer packages import inner ones, never the reverse."""

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
    "benchmarks": {"cli", "local", "training", "triage"},
    "template_audit": set(),
}
"""The packages of this repository that each package may import besides itself.

Only `app.py` and `delivery.py` import `stacks`.
"""

OURS = {*MAY_IMPORT, "tests"}
FORBIDDEN = {
    "triage": {"aws_cdk", "boto3", "botocore", "constructs", "huggingface_hub", "aws_lambda_powertools"},
    "runtime": {"aws_cdk", "constructs"},
    "stacks": {"boto3", "botocore"},
    "training": {"aws_cdk", "boto3", "constructs"},
    "local": {"aws_cdk", "constructs"},
    "cli": {"aws_cdk", "constructs"},
    "benchmarks": {"aws_cdk", "constructs"},
    "template_audit": {"aws_cdk", "boto3", "constructs"},
}
"""The libraries that each package must not import."""

HEAVY = {"numpy", "onnxruntime", "safetensors", "tokenizers", "torch", "transformers"}
"""Libraries for computation: slow to import, and absent from most Lambda functions."""

ENGINES = {"triage/inference/onnx_engine.py", "triage/inference/transformers_engine.py"}


def packages(root: Path) -> set[str]:
    """Names of the folders directly below `root` that hold Python files, without the tests and hidden folders."""
    return {module.parent.name for module in root.glob("[!.]*/*.py")} - {"tests"}


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"{package} is empty"
    return found


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def imported(module: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield the dotted name and the node of every import, including those in functions and under TYPE_CHECKING."""
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
    """Yield the nodes that run when a module is imported: of a function its defaults and decorators, not its body."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*child.decorator_list, child.args):
                yield part
                yield from at_import(part)
        elif not isinstance(child, ast.Lambda):
            yield child
            yield from at_import(child)


def test_every_package_states_what_it_may_import():
    assert MAY_IMPORT.keys() == FORBIDDEN.keys() == packages(ROOT)


def test_a_new_package_is_found(tmp_path):
    for name in ("new_package", "tests", "docs"):
        (tmp_path / name).mkdir()
    for name in ("new_package/module.py", "tests/test_it.py", "docs/page.md"):
        (tmp_path / name).touch()
    assert packages(tmp_path) == {"new_package"}


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
def test_a_package_imports_no_forbidden_library(package):
    wrong = {
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules(package)
        for name, _ in imported(module)
        if is_within(name, FORBIDDEN[package])
    }
    assert not wrong


@pytest.mark.parametrize("application", ["app.py", "delivery.py"])
def test_an_application_imports_stacks_and_no_other_package_of_ours(application):
    ours = {name for name, _ in imported(ROOT / application) if is_within(name, OURS)}
    assert ours and all(is_within(name, {"stacks"}) for name in ours)


@pytest.mark.parametrize("package", ["triage", "runtime", "stacks", "local", "cli"])
def test_only_the_engines_import_libraries_for_computation(package):
    heavy = {
        module.relative_to(ROOT).as_posix()
        for module in modules(package)
        for name, _ in imported(module)
        if is_within(name, HEAVY)
    }
    assert heavy <= ENGINES


def test_the_engines_do_import_libraries_for_computation():
    """This shows that the search of the test above finds such imports."""
    for engine in ENGINES:
        assert any(is_within(name, HEAVY) for name, _ in imported(ROOT / engine))


def test_an_engine_is_imported_by_nobody_at_import():
    """An engine is imported inside a function, because the libraries of the other engine may be absent."""
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
def test_a_handler_imports_no_other_handler(module):
    """Code that two handlers share is in the domain, in an adapter, or in `runtime.function`."""
    shared = {"runtime.adapters", "runtime.function"}
    assert not {n for n, _ in imported(module) if is_within(n, {"runtime"}) and not is_within(n, shared)}


@pytest.mark.parametrize("package", ["triage", "runtime", "stacks", "training"])
def test_nothing_reads_the_environment_at_import(package):
    """`os.environ` may be the default of a parameter; its values may not be read."""
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
    """The test above finds the full name alone."""
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
    """Return the top-level modules that are loaded after a new interpreter has run `statement`."""
    command = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_domain_loads_no_library_of_aws_and_none_for_computation():
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
def test_code_that_runs_at_import_is_told_from_code_that_does_not(source, expected):
    assert any(isinstance(node, ast.Subscript) for node in at_import(ast.parse(source))) is expected
