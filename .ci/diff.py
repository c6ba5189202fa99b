"""Tell what a pull request would change in AWS, and refuse to lose data by accident.

`diff.py show ENVIRONMENT` writes what `cdk diff` says into build/diff. `diff.py comment` writes one comment about all
environments there, and fails where a resource that holds something would be replaced, removed or left behind, or where
CloudFormation or DynamoDB would stop the deployment, unless the pull request has the label `destructive`.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "diff"
LABEL = "destructive"
MOST_CHARACTERS = 65_000
"""GitHub takes comments of up to 65,536 characters."""

STATEFUL_STACK = "-Stateful"
STATELESS_KINDS = {"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
"""What the stateful stack has besides, and what can be made again."""

STATEFUL = {
    "AWS::CloudTrail::Trail",
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::Events::Archive",
    "AWS::Events::EventBus",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
}
"""Resources that hold data, keys, logs, messages, subscriptions or running executions, in whichever stack."""

STACK = re.compile(r"Stack (?P<path>\S+)(?: \((?P<name>\S+)\))?")
REMOVED_OUTPUT = re.compile(r'\[-\] Output (?:\S.* )?(?P<name>\w+): .*"Export":')
INDEXES = re.compile(r" [├└]─ \[(?P<sign>[-+~])\] GlobalSecondaryIndexes")
INDEX = re.compile(r'(?:\[(?P<sign>[-+])\].*?)?"IndexName": ?"(?P<name>[^"]+)"')
CHANGE = re.compile(r"\[(?P<sign>[-+~])\] (?P<kind>[A-Za-z]\w*::\S+) (?P<rest>.+)")
LOSES = {
    "destroy": "is deleted with what it holds",
    "orphan": "is left behind, and nothing uses it any more",
    "replace": "is replaced by an empty one",
    "may be replaced": "may be replaced by an empty one",
}


class UnreadableError(Exception):
    """A line of `cdk diff` is of a form that this script does not know. It must not be taken for harmless."""


@dataclass(frozen=True)
class Loss:
    stack: str
    kind: str
    name: str
    impact: str

    def __str__(self) -> str:
        return f"`{self.name}` of {self.stack} ({self.kind}) {LOSES[self.impact]}"


def obstacles(text: str) -> Iterator[str]:
    """Yield what would stop the deployment half-way, although nothing is lost."""
    stack, table, sign = "", "", ""
    indexes: dict[str, Counter[str]] = {}
    for line in text.splitlines():
        if found := STACK.fullmatch(line.strip()):
            stack = found["name"] or found["path"]
        elif found := CHANGE.match(line):
            table, sign = f"`{found['rest'].split()[0]}` of {stack}", ""
        elif found := REMOVED_OUTPUT.match(line):
            yield (
                f"`{found['name']}` of {stack} is exported no more. CloudFormation refuses while another stack imports "
                "it: keep it by `export_value` until a deployment after the one that stops using it"
            )
        elif found := INDEXES.match(line):
            sign = found["sign"]
        elif line.startswith((" ├─", " └─")):
            sign = ""
        elif sign:
            for index in INDEX.finditer(line):
                # Where all indexes are new or gone, they stand in one line without signs of their own.
                if (index["sign"] or sign) != "~":
                    indexes.setdefault(table, Counter())[index["name"]] += 1 if (index["sign"] or sign) == "+" else -1
    for table, changes in indexes.items():
        changed = sorted(name for name, change in changes.items() if change)
        if len(changed) > 1:
            yield (
                f"{table} changes the indexes {', '.join(changed)}. DynamoDB makes or removes one index of a table at "
                "a time: deploy one after the other"
            )


def losses(text: str) -> Iterator[Loss]:
    """Yield every loss of a stateful resource that this output of `cdk diff` announces.

    `cdk diff` knows from CloudFormation's specification which properties replace a resource. Raises: UnreadableError.
    """
    stack = ""
    for line in text.splitlines():
        if found := STACK.fullmatch(line.strip()):
            stack = found["name"] or found["path"]
        elif found := CHANGE.match(line):
            impact = _impact(found["sign"], found["rest"])
            stateful = found["kind"] in STATEFUL or stack.endswith(STATEFUL_STACK)
            if impact in LOSES and stateful and found["kind"] not in STATELESS_KINDS:
                yield Loss(stack, found["kind"], found["rest"].removesuffix(impact).strip(), impact)


def _impact(sign: str, rest: str) -> str:
    for impact in LOSES:
        if rest.endswith(f" {impact}"):
            return impact
    if sign == "-":
        raise UnreadableError(f"cdk diff removes {rest!r} and does not say what becomes of it: extend .ci/diff.py")
    return ""


def comment(outputs: dict[str, str], labels: Iterable[str]) -> tuple[str, bool]:
    """Return the comment, and whether the pull request may be merged."""
    accepted = LABEL in labels
    parts = ["## What this changes in AWS", ""]
    lost = {environment: [str(loss) for loss in losses(text)] for environment, text in outputs.items()}
    stopped = {environment: list(obstacles(text)) for environment, text in outputs.items()}
    for found, would, does, otherwise in (
        (lost, "Something would be lost", "Something is lost", "Keep it, or accept the loss"),
        (stopped, "The deployment would stop", "The deployment may stop", "Change it, or take the risk"),
    ):
        if any(found.values()):
            said = f"**{does}.** The label `{LABEL}` accepts it."
            parts += [
                said if accepted else f"**{would}.** {otherwise} by the label `{LABEL}`.",
                "",
                *(f"- {environment}: {each}" for environment, told in found.items() for each in told),
                "",
            ]
    room = (MOST_CHARACTERS - len("\n".join(parts))) // max(1, len(outputs)) - 200
    for environment, text in outputs.items():
        shown = text if len(text) <= room else text[:room] + "\n(cut here; the job's log has the rest)"
        parts += [f"<details><summary>{environment}</summary>", "", "````", shown.strip(), "````", "", "</details>", ""]
    return "\n".join(parts), accepted or not any((*lost.values(), *stopped.values()))


def show(environment: str) -> int:
    """Write what `cdk diff` says about an environment. It compares templates, so it needs no right to change."""
    command = ["node", "node_modules/aws-cdk/bin/cdk", "diff", "--method=template", "--no-color", "--no-notices"]
    run = subprocess.run(
        [*command, "--context", f"environment={environment}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(run.stdout)
    if run.returncode == 0:
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{environment}.txt").write_text(run.stdout)
    return run.returncode


def publish(pull_request: str, labels: Iterable[str]) -> int:
    outputs = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.txt"))}
    if not outputs:
        print(f"there is no diff in {FOLDER}: the jobs that write them have failed", file=sys.stderr)
        return 1
    text, fine = comment(outputs, labels)
    file = FOLDER / "comment.md"
    file.write_text(text)
    options = ["--edit-last", "--create-if-none", "--body-file", str(file)]
    subprocess.run(["gh", "pr", "comment", pull_request, *options], cwd=ROOT, check=True)
    if not fine:
        print(
            f"something would be lost, or stop; the comment says what, and the label {LABEL} accepts it",
            file=sys.stderr,
        )
    return 0 if fine else 1


def main(arguments: list[str]) -> int:
    match arguments:
        case ["show", environment]:
            return show(environment)
        case ["comment"]:
            return publish(os.environ["PULL_REQUEST"], json.loads(os.environ["LABELS"]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
