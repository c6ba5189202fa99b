"""Files that take a reader's memory, and words that change what a page looks like."""

import subprocess
import sys
import unicodedata
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pyarrow
import pyarrow.parquet

from local.state import ROOT
from tests.attack.attacks import Attack, Outcome, Target, judged

DIGITS = 4_301
"""One more than Python reads as a number by default."""

MEMORY_BYTES = 3_000_000_000
"""Of addresses, which the command may take while it reads a file of a few kilobytes."""


def json_lines(path: Path) -> None:
    path.write_text(f'{{"complaint_id": {"1" * DIGITS}, "narrative": "late"}}\n')


def json_document(path: Path) -> None:
    path.write_text(f'[{{"complaint_id": "1", "narrative": "late", "customer_id": {"1" * DIGITS}}}]')


def nested(path: Path) -> None:
    path.write_text('{"complaint_id": ' + "[" * 200_000)


def zip_bomb(path: Path) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as member:
        member.write(b"Complaint ID,Issue\n")
        for _ in range(300):
            member.write(b"," * 1_000_000)


def parquet_bomb(path: Path) -> None:
    words = ["x" * 5_000_000 for _ in range(60)]
    table = pyarrow.table({"complaint_id": [str(n) for n in range(60)], "narrative": words})
    pyarrow.parquet.write_table(table, path, compression="zstd", use_dictionary=False)


EXPORTS = {
    "digits.jsonl": (json_lines, "digits, and at most 100"),
    "digits.json": (json_document, "digits, and at most 100"),
    "nested.json": (nested, "nests without end"),
    "bomb.zip": (zip_bomb, "times its size"),
    "bomb.parquet": (parquet_bomb, "times its size"),
}
"""What writes each file, and what the refusal says."""


def harmful_exports(target: Target) -> Outcome:
    succeeded = []
    for name, (write, reason) in EXPORTS.items():
        folder = target.place()
        folder.mkdir()
        write(folder / name)
        done = submit(target, folder / name)
        said = " ".join(done.stderr.split())
        if done.returncode != 1 or reason not in said or "Traceback" in said:
            succeeded.append(f"{name} ended with {done.returncode}: {said[-150:]}")
    return judged(succeeded, f"{len(EXPORTS)} exports were refused, each with its reason, within 3 GB of addresses")


def submit(target: Target, file: Path) -> subprocess.CompletedProcess[str]:
    """Submit a file as a user does, with less memory than a bomb needs."""
    limit = f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))"
    code = f"import resource; {limit}; from cli.main import run; run()"
    command = [sys.executable, "-c", code, "submit", str(file), "--state", str(target.machine.state)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


CARDS = {
    "an alias": "a: &a [x]\nb: *a",
    "a list that contains itself": "a: &a\n  - *a",
    "a billion laughs": "a: &a [x, x]\n" + "\n".join(f"b{n}: &b{n} [*{f'b{n - 1}' if n else 'a'}]" for n in range(30)),
    "a number without end": f"a: {'1' * DIGITS}",
}


def harmful_cards(target: Target) -> Outcome:
    """Publish datasets whose cards stop a listing, and erase a complaint, which lists all datasets."""
    hub, succeeded = target.machine.hub, []
    hub.create_repo("attacker/harmless", repo_type="dataset", exist_ok=True)
    for number, (what, front) in enumerate(CARDS.items()):
        dataset = f"attacker/card-{number}"
        hub.create_repo(dataset, repo_type="dataset", exist_ok=True)
        card = f"---\n{front}\n---\n".encode()
        hub.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=dataset, repo_type="dataset")
        try:
            listed = {one.id for one in hub.list_datasets()}
        except Exception as error:
            succeeded.append(f"{what} in a card stops the listing: {type(error).__name__}")
        else:
            if not {"attacker/harmless", dataset} <= listed:
                succeeded.append(f"{what} in a card hides datasets")
            # What an alias stands for would be in the listing itself.
            if (info := hub.dataset_info(dataset)).card_data is not None:
                succeeded.append(f"{what} in a card was read as {str(info.card_data)[:60]!r}")
    (complaint_id,) = target.allocated(target.item())
    done = target.machine.triage("erase", complaint_id, "--reason", "an attack", check=False)
    if done.returncode != 0:
        succeeded.append(f"an erasure failed beside these cards: {done.stderr.strip()[-150:]}")
    return judged(succeeded, f"{len(CARDS)} cards were published and read as none, and datasets are listed beside them")


HIDDEN = "\u202e\u2066\u200f\x1b[31m\x07\x00\u2069\u061c"


def masked_pages(target: Target) -> Outcome:
    """Write characters into a complaint that hide or turn round what a page or a screen says."""
    machine = target.machine
    text = f"My mortgage {HIDDEN}payment was lost by the bank. <script>alert(1)</script> Nobody answers my letters."
    item = target.item(narrative=text, product=HIDDEN, tags=[HIDDEN])
    item["complaint_id"] += "\u202ertl\u2066"
    (complaint_id,) = target.allocated(item)
    machine.triage("feedback", complaint_id, "set_vulnerable")
    folder = target.place()
    folder.mkdir()
    shown = {
        "show": machine.triage("show", complaint_id, "--html", folder / "story.html").stdout,
        "explain": machine.triage("explain", complaint_id, "--html", folder / "explanation.html").stdout,
        "show --json": machine.triage("show", complaint_id, "--json").stdout,
    }
    shown |= {page.name: page.read_text() for page in folder.iterdir()}
    succeeded = [
        f"{place} holds {sorted(hidden)}"
        for place, content in shown.items()
        if (hidden := {f"U+{ord(one):04X}" for one in set(content) if hides(one)})
    ]
    pages = [page.name for page in folder.iterdir()]
    succeeded += [f"{name} holds a script of the letter" for name in pages if "<script>alert" in shown[name]]
    open_to_others = [page.name for page in folder.iterdir() if page.stat().st_mode & 0o077]
    succeeded += [f"{name} can be read by others" for name in open_to_others]
    if not all("u202e" in content for content in shown.values()) and not succeeded:
        raise RuntimeError("what was hidden is not shown everywhere, so nothing was attacked")
    return judged(succeeded, f"{len(shown)} pages and screens show hidden characters escaped, for their owner alone")


def hides(character: str) -> bool:
    """Whether a character controls a terminal or changes the direction of others."""
    if character in "\n\t":
        return False
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return (
        unicodedata.category(character) == "Cc"
        or unicodedata.bidirectional(character) in turning
        or character in "\u061c\u200e\u200f"
    )


ATTACKS = (
    Attack("an export takes the memory of its reader", harmful_exports),
    Attack("a card on the Hub stops listings", harmful_cards),
    Attack("a page shows something else than it says", masked_pages),
)
