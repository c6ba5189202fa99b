"""`triage show` in a terminal, as JSON and as a page, and the reading of records."""

import json
import re
from datetime import date
from html.parser import HTMLParser

import pytest

from cli.aws.records import find_records, findings
from cli.commands.show import read_story
from cli.errors import CommandError, NotFoundError
from cli.pages.story import bars, page
from cli.pages.story_words import explained_reasons
from tests.cli.conftest import publish
from tests.factories import any_allocation, any_decision, any_explanation, any_item, any_model_reference, any_prediction
from tests.stories import (
    ID,
    account_of,
    any_erasure,
    any_explained,
    any_hold,
    chained,
    items,
    outbox,
    whole_inbox,
    whole_story,
)
from triage import tables
from triage.clock import load_clocks
from triage.feedback import INBOX
from triage.reason import Code, Reason
from triage.story import ALLOCATION, EXPLANATION, PREDICTION
from triage.tasks import TASKS
from triage.timeline.account import Account, schema
from triage.timeline.records import Records
from triage.timeline.timeline import moments

ENV = ("--env", "dev")


@pytest.fixture
def deployment(dev):
    # The links in these tests state times in 2026. A long retention keeps them valid on any day.
    publish(dev.session, "retention-days", "36500")
    return dev


def store(deployment, story, inbox=(), links=None, inbox_links=None):
    chain = deployment.table(tables.AUDIT_CHAIN)
    for item in (*story, *inbox):
        deployment.story.put(item)
    sealed = chained(story) if links is None else links
    sealed_inbox = chained(inbox, partition=INBOX + ID) if inbox_links is None else inbox_links
    for link in (*sealed, *sealed_inbox):
        chain.put(link)
        deployment.anchors.add(link)


@pytest.fixture
def stored(deployment):
    """A deployment with every kind of record, all sealed."""
    deployment.complaints.put(any_item(triage_state="allocated", triage_attempts=1))
    store(deployment, items(whole_story()), whole_inbox())
    return deployment


@pytest.fixture
def triage(shell, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code, out, err = shell("show", *arguments)
        assert code == 0, err
        return out

    return run


# In a terminal


def test_it_explains_why_a_person_is_asked_and_why_the_journey_is_specialist(triage, deployment):
    reasons = ("product: Sandbox.Timedout", "vulnerable: tag (Servicemember)")
    deployment.story.put(any_allocation(complaint_id=ID, route="manual", journey="specialist", reasons=reasons))
    shown = triage(ID, *ENV)
    for text, asked in zip(reasons, ("triage looks at it first", "the specialist journey"), strict=True):
        assert re.search(rf"{re.escape(text)} +. {asked}", shown)
    assert "The function reached its time limit" in shown and "A source other than a model says so" in shown


@pytest.mark.usefixtures("stored")
def test_the_story_follows_the_allocation_and_the_chain_comes_last(triage):
    told = triage(ID, *ENV)
    marks = ["Allocation", "Story", "received", "models selected", "model failed", "predicted", "announced"]
    marks += ["feedback applied", "decided again", "explained", "narrative read", "hold placed", "hold lifted"]
    places = [told.index(mark) for mark in (*marks, "The chain verifies: 18 links")]
    assert places == sorted(places)


@pytest.mark.usefixtures("stored")
def test_a_prediction_is_shown_with_its_versions_and_hashes(triage):
    told = triage(ID, *ENV)
    said = any_prediction()
    assert f"weights sha256: {said.weights_sha256}" in told
    assert f"manifest sha256: {said.model.manifest_sha256}" in told
    assert f"model version: acme/champion@{said.model.revision}" in told
    assert "temperature: 1.37" in told and "strategy version: 3" in told and "bucket: 4711" in told


def test_a_changed_record_is_named(triage, stored):
    allocation = stored.story.get(ID, ALLOCATION)
    stored.story.put({**allocation, "milliseconds": 1})
    told = " ".join(triage(ID, *ENV).split())
    assert "The chain does NOT verify: 2 findings on 18 links" in told
    assert "ALLOCATION │ changed" in told


def test_the_decision_is_shown_with_its_reasons_and_the_answers_it_rests_on(triage, deployment):
    decision = any_decision(any_model_reference(), confidence=0.62, auto_threshold=0.8)
    entry = any_allocation(route="review", decisions=(decision,), reasons=("product: confidence below threshold",))
    deployment.story.put(entry)
    told = triage(ID, *ENV)
    assert "Reasons" in told and "product: confidence below threshold" in told
    assert f"product Mortgage 0.620 against 0.8 by {decision.model.version}" in told


def test_a_reason_is_explained_with_whom_it_asks():
    reason = Reason.why(Code.NO_MODEL, TASKS["issue"])
    assert explained_reasons([reason]) == [("issue: no model answered", "the team that gets it", reason.explanation)]


@pytest.mark.usefixtures("stored")
def test_no_output_contains_the_text_of_the_complaint(triage, tmp_path):
    outputs = [triage(ID, *ENV), triage(ID, "--json", "--html", "story.html", *ENV)]
    outputs.append((tmp_path / "story.html").read_text())
    assert not any(any_item()["narrative"] in output for output in outputs)


def test_the_document_says_until_when_to_answer_and_how_the_complaint_was_drawn(triage, deployment):
    clock = load_clocks().clock("Mortgage", date(2026, 3, 2))
    drawn = {"stratum": "random", "inclusion": 0.02}
    deployment.story.put(any_allocation(complaint_id=ID, clock=clock, drawn=drawn))
    told = json.loads(triage(ID, "--json", *ENV))
    assert (told["clock"]["kind"], told["clock"]["due_at"]) == ("standard", "2026-04-27T22:59:59.000Z")
    assert told["audit"] == {"drawn": True, **drawn}
    assert f"standard: received 2026-03-02, due {clock.due_at}" in triage(ID, *ENV)
    deployment.story.put(any_allocation(complaint_id=ID))
    told = json.loads(triage(ID, "--json", *ENV))
    assert (told["clock"], told["audit"]) == (None, {"drawn": False, "inclusion": None, "stratum": None})


def test_the_text_of_the_complaint_is_not_even_fetched(stored):
    found = find_records(stored, ID).raw
    assert found and "narrative" not in found and found["triage_state"] == "allocated"


# As JSON


def read(printed: str) -> Account:
    return account_of(json.loads(printed))


@pytest.mark.usefixtures("stored")
def test_a_story_in_json_is_an_account(triage):
    account = read(triage(ID, "--json", *ENV))
    records = account.records
    assert (account.schema_version, records.complaint_id, account.findings) == (1, ID, ())
    assert account.moments == tuple(
        moments(Records.read(ID, raw=outbox(), story=items(whole_story()), inbox=whole_inbox()))
    )
    assert (records.refused[0]["entry"], records.waiting[0]["entry"]) == ("f-2", "f-4")


def test_the_schema_needs_neither_complaint_nor_deployment(triage):
    assert triage("--schema") == schema()
    assert json.loads(schema())["$id"] == "urn:complaints-triage:story:1"


def test_show_without_an_id_says_what_to_state(shell):
    code, _, err = shell("show")
    assert code == 2
    assert "COMPLAINT_ID is missing: state it, or use --schema" in err


# Records that were removed


def erase(deployment):
    """Erase as the function does: remove explanations, refused feedback and the raw complaint."""
    story, inbox = items(whole_story()), whole_inbox()
    gone = [item["entry"] for item in story if item["entry"].startswith(EXPLANATION)]
    erasure = items([any_erasure(entries=gone, refused_feedback=("f-2", "f-3"))])
    stays = [item for item in story if item["entry"] not in gone] + erasure
    inbox_links = chained(inbox, partition=INBOX + ID, removed=["f-2", "f-3"])
    store(deployment, stays, inbox[2:], chained([*story, *erasure], removed=gone), inbox_links)


def test_after_an_erasure_everything_else_is_shown_and_verifies(triage, deployment):
    erase(deployment)
    assert "triage: unknown, because the complaint itself does not exist any more" in triage(ID, *ENV)
    account = read(triage(ID, "--json", *ENV))
    records = account.records
    assert (account.findings, records.triage_state, records.received_at) == ((), None, "2026-03-02T09:00:00+00:00")
    assert len(records.predictions) == 3 and records.allocation and not records.explanations
    (erased,) = (moment for moment in account.moments if moment.kind == "erased")
    assert (erased.by, erased.detail) == (
        "dan",
        "the narrative, 1 explanation, 2 refused statements: request of the customer",
    )


def test_a_complaint_with_nothing_but_a_chain_is_found(deployment):
    store(deployment, (), links=chained(items(whole_story())))
    assert {finding.problem for finding in findings(deployment, ID)} == {"missing"}


def test_an_unknown_complaint_is_not_found(deployment):
    with pytest.raises(NotFoundError, match="nothing is stored about complaint 'none' in dev"):
        findings(deployment, "none")


# Records that somebody has changed


def test_there_are_no_findings_if_every_record_is_what_was_sealed(stored):
    assert findings(stored, ID) == []


@pytest.mark.parametrize("changed", [{"sha256": "no hash"}, {"sequence": "x"}, {"surprise": "yes"}], ids=str)
def test_an_invalid_link_is_a_finding(stored, changed):
    link = chained(items(whole_story()))[0].model_dump(exclude_none=True)
    stored.table(tables.AUDIT_CHAIN).put({**link, **changed})
    found = findings(stored, ID)
    assert ("SELECTION", "broken") in {(finding.entry, finding.problem) for finding in found}
    assert any(finding.detail.endswith("is no valid link") for finding in found)


def test_an_unreadable_record_is_shown_and_makes_read_story_fail(triage, stored):
    stored.story.put({"complaint_id": ID, "entry": "PREDICTION#product#x", "label": "Mortgage"})
    account = read(triage(ID, "--json", *ENV))
    assert [record.entry for record in account.records.unreadable] == ["PREDICTION#product#x"]
    assert [finding.problem for finding in account.findings] == ["unsealed"]
    with pytest.raises(CommandError, match="PREDICTION#product#x: code_version: is missing"):
        read_story(stored, ID)


# As a page


class Read(HTMLParser):
    """The headings and elements of a page, its texts for pictures, and every address that it loads from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.alternatives: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = {name: value or "" for name, value in attrs}
        self.alternatives += [given["aria-label"]] if given.get("role") == "img" else []
        places = ("src", "href", "xlink:href", "srcset", "data", "action")
        self.fetched += [given[place] for place in places if not given.get(place, "#").startswith("#")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "h2" and data.strip():
            self.headings.append(data)


def an_account(*entries, links=(), found=()):
    story = items(entries or whole_story())
    records = Records.read(ID, raw=None, story=story, inbox=())
    return Account.of(records, links=links or chained(story), findings=found)


def test_a_page_is_one_file_that_loads_no_other(triage, stored, tmp_path):
    triage(ID, "--html", "story.html", *ENV)
    assert [path.name for path in tmp_path.iterdir()] == ["story.html"]
    text = (tmp_path / "story.html").read_text()
    told = Read(text)
    assert told.headings == [
        "Current decision",
        "Story",
        "Answers of the models",
        "Explanations",
        "Chain",
    ]
    assert told.tags.count("svg") == len(told.alternatives) == 3
    assert not told.fetched and not {"script", "link", "iframe", "object", "image", "img"} & set(told.tags)
    assert not re.findall(r"url\((?!#)|@import", text)
    assert set(re.findall(r"https?://[^\"'\s<]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_a_page_has_the_hashes_of_models_and_links():
    told = an_account()
    text = page(told)
    hashes = {link.sha256 for link in told.links} | {link.content_sha256 for link in told.links}
    hashes |= {prediction.weights_sha256 for prediction in told.records.predictions}
    hashes |= {prediction.model.manifest_sha256 for prediction in told.records.predictions}
    assert not [sha256 for sha256 in hashes if f"<code>{sha256}</code>" not in text]


def test_a_page_has_the_rationale_and_the_checks_of_an_explanation():
    text = page(an_account())
    assert "It speaks for itself." in text and "additivity residual" in text
    explained = any_explained().explained
    checks = explained.checks.model_copy(update={"failures": ("it does not add up",)})
    failed = any_explanation(explained=explained.model_copy(update={"checks": checks}))
    assert "failed its checks, so do not rely on it: it does not add up" in page(an_account(failed))


def test_text_from_outside_is_escaped_on_the_page():
    evil = "<script>alert(1)</script>"
    entries = (
        any_allocation(product=evil, reasons=(evil,)),
        any_prediction(label=evil, top=({"label": evil, "probability": 0.5},)),
        any_hold(reason=evil),
    )
    text = page(an_account(*entries))
    assert "<script" not in text and "&lt;script&gt;" in text


def test_a_page_shows_findings_holds_and_erasures_at_its_top():
    plain = page(an_account())
    assert "The chain verifies" in plain and "Legal hold</strong>" not in plain and "Erased</strong>" not in plain
    assert "Legal hold</strong> since 2026-03-02T13:00:00.000Z by eve" in page(an_account(any_hold()))
    assert "Erased</strong> at 2026-03-02T15:00:00.000Z by dan" in page(an_account(any_erasure()))


def test_findings_are_on_the_page(stored):
    stored.story.delete(ID, ALLOCATION)
    text = page(an_account(found=findings(stored, ID)))
    assert "The records differ from what was sealed" in text and "The chain verifies" not in text
    assert "<code>ALLOCATION</code>" in text and "missing" in text


def test_a_complaint_without_records_has_a_page():
    text = page(Account.of(Records.read(ID, raw=outbox(), story=(), inbox=())))
    assert "No model has answered" in text and "Nobody has asked for an explanation" in text


def test_bars_and_thresholds_have_the_same_scale():
    top = ({"label": "Mortgage", "probability": 0.9}, {"label": "Student loan", "probability": 0.45})
    drawn = str(bars(any_prediction(top=top, thresholds={"auto": 0.8})))
    long, short = (float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', drawn))
    assert long == pytest.approx(2 * short, rel=0.01)
    start = float(re.findall(r'<rect x="([\d.]+)"', drawn)[0])
    (threshold,) = (float(x) for x in re.findall(r'<line x1="([\d.]+)"', drawn))
    assert (threshold - start) / long == pytest.approx(0.8 / 0.9, rel=0.01)


def test_the_threshold_of_the_positive_label_crosses_its_bar_only():
    top = ({"label": "no", "probability": 0.9}, {"label": "yes", "probability": 0.1})
    values = {"label": "no", "top": top, "thresholds": {"flag": 0.2}}
    model = any_model_reference(task="vulnerable")
    drawn = [str(bars(any_prediction(model=model, positive_label=label, **values))) for label in ("yes", None)]
    assert [re.findall(r'y1="(\d+)" y2="(\d+)"', one) for one in drawn] == [[("23", "44")], []]


def test_a_picture_has_a_text_alternative():
    said = any_prediction(thresholds={"auto": 0.8})
    assert 'aria-label="Most probable labels: Mortgage 0.900. Thresholds: without a person from 0.8."' in bars(said)


def test_every_prediction_has_its_picture():
    told = an_account()
    assert page(told).count("<svg") == sum(item["entry"].startswith(PREDICTION) for item in items(whole_story())) == 3
