"""One customer sends letters that delay everyone, writes numbers that nobody finds, and looks for leaked words."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cli.aws.explanations import explanation
from tests.attack.attacks import Attack, Outcome, Target, judged
from tests.system.test_privacy import everything_written
from triage.outbox import PARKED
from triage.steps import EVENT_TYPE, ExplanationRequest

LETTERS = 12
LONG, USUAL = 390_000, 40_000
"""Bytes: the longest letters that a table takes, and the part of a letter that models read."""

SLOWER = 4.0
"""How many times as long a complaint may wait behind the longest letters as behind those of the length that is read.
Letters that are read whole take ten times as long, by their length alone."""

CANARIES = ("quixotropic", "zephyrblossom", "Quibblethwaite")


def delaying_everyone(target: Target) -> Outcome:
    """Send many long letters full of what has to be redacted, and see when a small complaint behind them is done."""
    personal = "I called John Smith on 212-555-0187 about card 4111 1111 1111 1111 of my mortgage. "
    target.allocated(target.item())
    waited, seconds = dict[int, float](), 600.0
    for size in (USUAL, LONG):
        letters = [target.item(narrative=personal * (size // len(personal))) for _ in range(LETTERS)]
        ids, began = target.machine.put(*letters, target.item()), time.monotonic()
        try:
            target.machine.wait(ids[-1:], seconds=seconds)
        except AssertionError:
            return judged([f"behind letters of {size:,} bytes a small complaint waits longer than {seconds:.1f} s"], "")
        waited[size] = time.monotonic() - began
        seconds = SLOWER * max(1.0, waited[size])
        target.machine.wait(ids, seconds=600)
    times = waited[LONG] / waited[USUAL]
    return judged(
        [],
        f"a small complaint took {waited[LONG]:.1f} s behind {LETTERS} letters of 390 KB, {times:.1f} times as long as "
        f"behind letters of 40 KB ({waited[USUAL]:.1f} s)",
    )


SEPARATORS = {
    "a plain hyphen": "-",
    "U+2011": "\u2011",
    "an en dash": "\u2013",
    "an em dash": "\u2014",
    "a minus": "\u2212",
    "a wide hyphen": "\uff0d",
    "a soft hyphen": "\u00ad",
    "a zero-width space": "\u200b",
    "a word joiner": "\u2060",
    "a byte order mark": "\ufeff",
    "a mark of direction": "\u200e",
    "a hard space": "\u00a0",
    "a thin space": "\u2009",
    "a dot": ".",
    "a slash": "/",
    "a slash in spaces": " / ",
    "a low line": "_",
    "a bullet": "\u2022",
}
WIDE = str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")


def hidden_numbers(target: Target) -> Outcome:
    """Write one card number in many ways, have the decision explained, and read what is handed out."""
    deployment, groups = target.machine.deployment, ("4111", "1111", "1111", "1111")
    numbers = {what: separator.join(groups) for what, separator in SEPARATORS.items()}
    numbers["wide digits"] = " ".join(groups).translate(WIDE)
    text = "The bank has lost my mortgage payment and nobody answers my letters. "
    text += " ".join(f"They charged my card {number} again and I want the money back." for number in numbers.values())
    (complaint_id,) = target.allocated(target.item(narrative=text))
    request = ExplanationRequest(
        complaint_id=complaint_id,
        task="product",
        requester="somebody",
        purpose="an attack",
        lawful_basis="legal obligation",
    )
    found = explanation(deployment, request, timeout_seconds=300)
    handed_out = "".join(passage.text for passage in found.sentences) + found.unread
    stored = json.dumps(list(deployment.story.query(complaint_id)), default=str, ensure_ascii=False)
    succeeded = [
        f"a card number with {what} was handed out"
        for what, number in numbers.items()
        if number in handed_out or number in stored
    ]
    if any(character.isdigit() for character in handed_out):
        succeeded.append("digits of a card number were handed out")
    redacted = handed_out.count("[CARD]")
    if redacted != len(numbers) and not succeeded:
        succeeded.append(f"only {redacted} of {len(numbers)} numbers are in what was handed out, so nothing is known")
    return judged(succeeded, f"{redacted} spellings of a card number were handed out as [CARD], and no digit of them")


@contextmanager
def listening(target: Target) -> Iterator[list[str]]:
    """Yield a list that holds, after the block, every event about allocations that was sent in it."""
    events, sqs = target.machine.aws.client("events"), target.machine.aws.client("sqs")
    bus, name = target.machine.deployment.name("bus"), "listen-to-an-attack"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"detail-type": [EVENT_TYPE]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    heard: list[str] = []
    yield heard
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages"):
        for message in messages:
            heard.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["1"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def leaking_words(target: Target) -> Outcome:
    """Put words that no other text has into narratives and other attributes, and look for them everywhere else."""
    text = f"My {CANARIES[0]} {CANARIES[1]} card payment was refused by Mr {CANARIES[2]}, and I am a disabled veteran."
    with listening(target) as heard:
        ids = target.allocated(
            target.item(narrative=text),
            target.item(narrative=text, tags={CANARIES[0]: [CANARIES[1]]}),
            target.item(narrative=[text], received_at=CANARIES[0], account_vulnerable=CANARIES[1]),
        )
        target.machine.triage("feedback", ids[0], "set_vulnerable")
        target.machine.triage("explain", ids[0])
    places = [*everything_written(target.machine, ids), ("events", "\n".join(heard))]
    parked = [row for row in target.machine.deployment.outbox().parked() if row.get("triage_state") == PARKED]
    places.append(("what is parked", json.dumps(parked, default=str)))
    succeeded = sorted({f"{word} is in {place}" for place, content in places for word in CANARIES if word in content})
    seen = {place.split(" ")[0] for place, content in places if any(one in content for one in ids)}
    if missing := {"state", "log", "story", "feedback", "events"} - seen:
        succeeded.append(f"not even the ids are found in {', '.join(sorted(missing))}, so nothing is known")
    return judged(
        succeeded,
        f"3 words of narratives are in none of {len(places)} histories, logs, metrics, stories and queues of events, "
        "where their ids are",
    )


ATTACKS = (
    Attack("one customer's letters delay everyone", delaying_everyone),
    Attack("numbers are written so that redaction misses them", hidden_numbers),
    Attack("words of a narrative leave its table", leaking_words),
)
