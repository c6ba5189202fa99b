"""Everything that is built and run comes from the source and in the version that we pinned."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
REQUIREMENTS = sorted([*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements*.txt")])
LOCKS = sorted(ROOT.glob("requirements*.lock"))
APART = [ROOT / "template_audit" / "requirements-checkov.lock", *sorted((ROOT / "runtime").glob("requirements*.lock"))]
"""The packages of environments of their own, those of the functions among them."""

INSTALLERS = [ROOT / "Makefile", ROOT / "stacks" / "layers.py", *sorted((ROOT / "runtime").glob("*.Dockerfile"))]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(params=WORKFLOWS, ids=named)
def workflow(request) -> str:
    text: str = request.param.read_text()
    return text


def jobs() -> dict[str, dict[str, Any]]:
    """Return every job by the names of its workflow and itself, such as `test.unit`."""
    return {
        f"{path.stem}.{name}": job
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
    }


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in jobs().items() for step in job.get("steps", ())]


def commands() -> list[str]:
    return [line for _, step in steps() for line in step.get("run", "").splitlines()]


def test_an_action_is_pinned_by_its_commit_and_tells_its_version(workflow):
    used = re.findall(r"uses: *(.+)", workflow)
    pinned, ours = r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", r"\$/\.github/workflows/\w+\.yml"
    assert used
    assert [action for action in used if not re.fullmatch(f"{pinned}|{ours}", action)] == []


def test_an_action_has_one_version_everywhere():
    used = {action for path in WORKFLOWS for action in re.findall(r"uses: *([\w.-]+/\S+@\S+)", path.read_text())}
    assert used
    assert len(used) == len({action.partition("@")[0] for action in used})


def test_ci_holds_no_key_and_has_no_rights_that_a_job_does_not_state(workflow):
    assert re.findall(r"^permissions: *(.*)$", workflow, re.MULTILINE) == ["{}"]
    assert not re.search(r"secrets[.\[:]|aws-access-key|pull_request_target|workflow_run", workflow)


RIGHTS = {
    "diff.diff": {"contents": "read", "id-token": "write"},
    "diff.comment": {"contents": "read", "pull-requests": "write"},
    "deploy.dev": {"contents": "read", "deployments": "read", "id-token": "write"},
    "deploy.prod": {"contents": "read", "deployments": "read", "id-token": "write"},
    "release.release": {"contents": "read", "deployments": "read", "id-token": "write"},
}
"""The jobs that may do more than read the sources."""


@pytest.mark.parametrize("name", jobs())
def test_a_job_has_the_rights_that_it_needs(name):
    assert jobs()[name]["permissions"] == RIGHTS.get(name, {"contents": "read"})


def test_every_checkout_forgets_its_token():
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) > 3
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_a_pull_request_of_a_fork_is_given_no_identity_and_no_comment():
    of_pull_requests = {name: job for name, job in jobs().items() if name.startswith("diff.")}
    same = "github.event.pull_request.head.repo.full_name == github.repository"
    assert of_pull_requests
    assert all(job["if"] == same for job in of_pull_requests.values())


def test_jobs_end_within_fifteen_minutes_but_the_one_that_deploys():
    limits = {name: job["timeout-minutes"] for name, job in jobs().items() if "uses" not in job}
    assert {name for name, minutes in limits.items() if minutes > 15} == {"release.release"}


def test_no_text_of_a_pull_request_becomes_a_command():
    """An expression inside a command is replaced before the shell reads it."""
    assert commands()
    assert [command for command in commands() if "${{" in command] == []


def test_what_the_workflows_run_exists():
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    run = " ".join(commands())
    scripts = set(re.findall(r"\.ci/\w+\.py", run))
    called = {verb for command in commands() for verb in re.findall(r"^make ([a-z ]+)", command)}
    assert scripts and all((ROOT / script).is_file() for script in scripts)
    assert called and {verb for each in called for verb in each.split()} <= verbs
    assert all(command.startswith(("make ", ".venv/", "build/last-good/", "python3 .ci/")) for command in commands())


MARK = "pytest.mark" + ".system"
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
ON_THE_MACHINE = [path for path in TESTS if path.parent.name == "system" or MARK in path.read_text()]
TO_RUN = {"unit": [path for path in TESTS if path.parent.name != "system"], "system": ON_THE_MACHINE}


@pytest.mark.parametrize("job", TO_RUN)
def test_every_test_runs_in_exactly_one_part(job):
    run = Counter(
        path
        for part in jobs()[f"test.{job}"]["strategy"]["matrix"]["include"]
        for pattern in part["tests"].split()
        for place in ROOT.glob(pattern)
        for path in ([place] if place.is_file() else place.rglob("test_*.py"))
    )
    assert len(TO_RUN[job]) > 10
    assert {named(path): run[path] for path in TO_RUN[job] if run[path] != 1} == {}


def test_one_deployment_runs_at_a_time_and_is_not_cancelled():
    deploy = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    assert deploy["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    # YAML reads the key `on` as true.
    assert deploy[True] == {"push": {"branches": ["main"]}}
    needs = {name: job.get("needs") for name, job in deploy["jobs"].items()}
    assert needs == {"test": None, "dev": "test", "prod": "dev"}


def test_a_deployment_is_checked_before_and_after_and_undone_where_it_fails():
    release = jobs()["release.release"]
    assert release["environment"] == "${{ inputs.environment }}"
    said = [
        (step.get("run", step.get("with", {}).get("role-to-assume", "")), "if" in step) for step in release["steps"]
    ]
    order = ["vars.CHECK_ROLE", "preflight", "vars.DEPLOY_ROLE", "make deploy", "vars.CHECK_ROLE", "triage smoke"]
    undone = ["vars.DEPLOY_ROLE", "last_good.py", "vars.CHECK_ROLE", "triage smoke"]
    ordinary = [text for text, conditional in said if not conditional][3:]
    after_failure = [text for text, conditional in said if conditional]
    assert all(word in text for word, text in zip(order, ordinary, strict=True))
    assert all(word in text for word, text in zip(undone, after_failure, strict=True))
    conditions = [step["if"] for step in release["steps"] if "if" in step]
    assert all("failure()" in condition for condition in conditions)


def test_the_tools_that_look_at_workflows_run_with_the_linters():
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert "zizmor --offline" in lint and "vendor.github-workflows" in lint and "vendor.dependabot" in lint


def test_every_place_with_requirements_is_kept_up_to_date_in_groups():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert all(update["groups"] for update in updates)
    (pip,) = (update for update in updates if update["package-ecosystem"] == "pip")
    places = {f"/{path.parent.relative_to(ROOT)}".rstrip(".") for path in REQUIREMENTS}
    assert set(pip["directories"]) == places


@pytest.mark.parametrize("path", REQUIREMENTS, ids=named)
def test_a_library_is_named_with_its_version_and_comes_from_the_one_index(path):
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    libraries = [line for line in lines if line and not line.startswith("-r ")]
    assert [line for line in libraries if not re.fullmatch(r"[\w.-]+(?:\[[\w,-]+\])?==[\w.+!-]+", line)] == []


def spelled(name):
    """Return a package name in one spelling: case, hyphens, underscores and dots do not matter."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path) -> dict[str, str]:
    return {
        spelled(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("path", [*LOCKS, *APART], ids=named)
def test_a_locked_package_has_a_version_and_hashes_and_names_no_place(path):
    entries = [entry for entry in re.split(r"\n(?=\S)", path.read_text().strip()) if not entry.startswith("#")]
    assert entries
    entry = r"[\w.-]+==[\w.!+-]+(?: \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert [each for each in entries if not re.fullmatch(entry, each)] == []


def test_no_package_is_locked_twice_but_torch_for_processors_or_for_gpus():
    names = [name for path in LOCKS for name in locked(path)]
    assert len(names) == len(set(names)) + 1
    cpu, cuda = (locked(ROOT / f"requirements-{kind}.lock") for kind in ("cpu", "cuda"))
    assert cpu == {"torch": f"{cuda['torch']}+cpu"}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=named)
def test_the_lock_files_hold_the_version_that_a_requirement_names(path):
    own = path.with_suffix(".lock")
    locks = [own] if own in APART else LOCKS
    everywhere = {name: version for lock in locks for name, version in locked(lock).items()}
    wanted = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", path.read_text(), re.MULTILINE)
    assert {spelled(name): version for name, version in wanted}.items() <= everywhere.items()


def test_the_demo_needs_nothing_that_only_the_tests_install():
    assert {"pytest", "moto", "mypy"} <= locked(ROOT / "requirements-dev.lock").keys()
    assert {"transformers", "ministack", "aws-cdk-lib"} <= locked(ROOT / "requirements.lock").keys()


def test_everything_is_installed_with_its_hash():
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line or "$(EDITABLE)" in line for line in installs)
    assert "--no-build-isolation" in makefile


@pytest.mark.parametrize("path", INSTALLERS, ids=named)
def test_no_installer_asks_a_second_index(path):
    assert not re.search(r"index-url|find-links|--registry|https?://", path.read_text())


def test_the_cdk_command_is_the_one_whose_hash_is_known():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}
    assert installed
    assert all(package["integrity"].startswith("sha512-") for package in installed.values())
    assert "npm ci " in (ROOT / "Makefile").read_text()
