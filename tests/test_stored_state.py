"""What an earlier release stored is read by this one: entries, chains, feedback, and rows of models and strategies.

Each file in `tests/stored` holds the tables of one release in DynamoDB's JSON, without narratives: complaints of a
demonstration with every kind of feedback, and a strategy that went from a shadow to a promotion. A release that changes
what is stored adds a file and leaves the others as they are.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runtime.adapters.dynamodb import from_item, to_item
from triage.audit.chain import Link
from triage.audit.verification import verify
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import ModelInfo, ModelStrategy
from triage.timeline.account import Account
from triage.timeline.records import Records

FILES = sorted((Path(__file__).parent / "stored").glob("*.json"))
RELEASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
COMPLAINTS = [(release, complaint) for release, stored in RELEASES.items() for complaint in stored["complaints"]]
NOW = datetime(2026, 12, 1, tzinfo=UTC)
"""Before anything stored expires."""


@pytest.fixture(params=COMPLAINTS, ids="/".join)
def stored(request):
    release, complaint = request.param
    tables = RELEASES[release]["complaints"][complaint]
    return complaint, {name: [from_item(item) for item in items] for name, items in tables.items()}


def read(complaint, tables):
    return Records.read(
        complaint,
        raw=next(iter(tables["raw_complaints"]), None),
        story=tables["complaints_allocation"],
        inbox=tables["inbox"],
    )


def links(items):
    return [Link.model_validate(item) for item in items]


def test_releases_are_stored():
    assert FILES and COMPLAINTS


def test_every_entry_is_read(stored):
    records = read(*stored)
    assert records.selection and records.allocation and not records.unreadable


def test_every_chain_verifies(stored):
    complaint, tables = stored
    assert tables["audit_chain"]
    assert not verify(
        complaint,
        links=links(tables["audit_chain"]),
        story=tables["complaints_allocation"],
        inbox_links=links(tables["inbox_chain"]),
        inbox=tables["inbox"],
        now=NOW,
        retention_days=1000,
    )


def test_an_entry_that_is_written_again_is_the_same(stored):
    """Otherwise rewriting an entry, as the next version of an allocation does, would break its chain."""
    complaint, tables = stored
    records = read(complaint, tables)
    allocation = next(item for item in tables["complaints_allocation"] if item["entry"] == "ALLOCATION")
    assert from_item(to_item(records.allocation)) == allocation


def test_every_reason_is_known(stored):
    assert all(reason.code != "unknown" for reason in read(*stored).allocation.reasons)


def test_the_story_is_told(stored):
    complaint, tables = stored
    account = Account.of(read(complaint, tables), links=links(tables["audit_chain"]))
    assert {"models_selected", "allocated"} <= {moment.kind for moment in account.moments}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("table", "model"), [("model_info", ModelInfo), ("model_strategy", ModelStrategy), ("champion_ledger", LedgerEntry)]
)
def test_rows_of_models_and_strategies_are_read(release, table, model):
    rows = [from_item(item) for item in RELEASES[release][table]]
    assert rows
    for row in rows:
        assert from_item(to_item(model.model_validate(row))) == row
