"""`triage feedback`, of one complaint and of a file."""

import pytest

from tests.cli.commands import ENV
from tests.factories import any_allocation, any_feedback
from triage.feedback import FeedbackRow
from triage.story import FeedbackEntry, SupersededEntry
from triage.taxonomy import load_taxonomy


@pytest.fixture
def applied(deployment, monkeypatch):
    """Give feedback an outcome when the command reads it, as the function would."""
    put = deployment.story.__class__.put_if_absent

    def put_and_apply(table, item):
        done = put(table, item)
        if done and isinstance(item, FeedbackRow):
            outcome = {"outcome": "refused", "reason": "look again"} if item.version > 1 else {"outcome": "applied"}
            table.put(item.model_copy(update={**outcome, "made_version": item.version + 1}))
        return done

    monkeypatch.setattr(deployment.story.__class__, "put_if_absent", put_and_apply)
    deployment.story.put(any_allocation(product="Mortgage"))


@pytest.mark.usefixtures("applied")
def test_feedback_is_handed_in_by_the_operator_and_waited_for(triage, deployment):
    options = ("--product", "Credit card", "--blind", "--stratum", "random", "--id", "f-1")
    row = triage("feedback", "8123456", "reallocate", *options, "--json", *ENV).json
    assert (row["by"], row["mode"], row["stratum"], row["made_version"]) == ("ann", "blind", "random", 2)
    assert deployment.story.get("FEEDBACK#8123456", "f-1")["product"] == "Credit card"


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reallocate", "--product", "Mortgages"), "did you mean 'Mortgage'?"),
        (("correct_issue", "--issue", "Nothing"), "is no issue of 'Mortgage'"),
        (("reallocate",), "reallocate needs a product"),
        (("shout",), "kind: must be one of 'confirm'"),
        (("confirm", "--task", "Product"), "tasks.0: must be a task name"),
        (("confirm", "--task", "vulnerable"), "confirm takes the tasks product, issue, not vulnerable"),
        (("set_vulnerable", "--task", "product"), "feedback: set_vulnerable takes no tasks; only confirm does"),
    ],
    ids=str,
)
def test_feedback_that_names_no_label_is_refused_before_it_is_handed_in(triage, deployment, arguments, message):
    result = triage("feedback", "8123456", *arguments, *ENV)
    assert result.code == 2
    assert message in result.err
    assert not list(deployment.story.query("FEEDBACK#8123456"))


@pytest.mark.usefixtures("applied")
def test_refused_feedback_ends_with_its_reason_and_is_shown(triage):
    result = triage("feedback", "8123456", "confirm", "--version", 2, "--id", "f-2", *ENV)
    assert result.code == 1
    assert "f-2 was refused: look again" in result.err
    assert "refused f-2" in triage("show", "8123456", *ENV).out


def test_feedback_on_a_complaint_without_allocation_is_not_found(triage, deployment):
    assert triage("feedback", "8123456", "confirm", *ENV).code == 3


HEADER = "complaint_id,kind,product,issue,role,mode,stratum,inclusion,at,version,feedback_id\n"
MOVED = "8123456,reallocate,Credit card,,analyst,blind,random,0.05,2026-03-02T10:00:00Z,,\n"
CLEARED = "8123456,clear_vulnerable,,,analyst,blind,random,0.05,2026-03-02T10:00:30Z,,\n"
ISSUE = next(i for i in load_taxonomy().issues_of("Credit card") if i not in load_taxonomy().issues_of("Mortgage"))


@pytest.fixture
def statements(tmp_path):
    def write(*rows, header=HEADER):
        file = tmp_path / "statements.csv"
        file.write_text(header + "".join(rows))
        return file

    return write


@pytest.mark.usefixtures("applied")
def test_a_file_is_handed_in_row_by_row_and_again_changes_nothing(triage, deployment, statements):
    file = statements(MOVED, CLEARED.replace(",,\n", ",1,f-2\n"))
    results = [triage("feedback", "--file", file, "--json", *ENV) for _ in range(2)]
    assert [result.code for result in results] == [0, 0]
    assert results[0].json == results[1].json
    assert [(o["row"], o["outcome"], o["made_version"]) for o in results[0].json] == [
        (1, "applied", 2),
        (2, "applied", 2),
    ]
    rows = {row["kind"]: row for row in deployment.story.query("FEEDBACK#8123456")}
    assert (rows["reallocate"]["by"], float(rows["reallocate"]["inclusion"])) == ("ann", 0.05)
    assert (rows["reallocate"]["version"], rows["clear_vulnerable"]["entry"]) == (1, "f-2")


@pytest.mark.usefixtures("applied")
def test_a_row_without_a_version_gets_the_one_that_the_rows_before_it_make(triage, deployment, statements):
    issue = f'8123456,correct_issue,,"{ISSUE}",analyst,assisted,,,2026-03-02T10:00:40Z,,\n'
    triage("feedback", "--file", statements(MOVED, CLEARED, issue), *ENV)
    rows = {row["kind"]: row["version"] for row in deployment.story.query("FEEDBACK#8123456")}
    assert rows == {"reallocate": 1, "clear_vulnerable": 2, "correct_issue": 3}


@pytest.mark.usefixtures("applied")
def test_refused_rows_of_a_file_are_a_failure_with_their_reasons(triage, statements):
    result = triage("feedback", "--file", statements(MOVED, CLEARED), *ENV)
    assert result.code == 1
    assert "of 2 rows 1 were refused" in result.err
    assert "applied" in result.out and "look again" in result.out


def test_rows_that_are_not_applied_in_time_are_a_failure(triage, deployment, statements):
    deployment.story.put(any_allocation(product="Mortgage"))
    result = triage("feedback", "--file", statements(MOVED), "--timeout", 0.1, *ENV)
    assert result.code == 1
    assert "1 not applied within 0.1 s" in result.err


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (MOVED.replace("Credit card", "Credit cards"), "row 2, column 'product': "),
        (MOVED.replace("Credit card,", "Mortgage,Nothing"), "row 2, column 'issue': 'Nothing' is no issue"),
        (MOVED.replace("reallocate", "shout"), "row 2, column 'kind': must be one of 'confirm'"),
        (MOVED.replace("0.05", "5 %"), "row 2, column 'inclusion': "),
        (
            MOVED.replace("reallocate,Credit card", "confirm,"),
            "row 2, column 'kind': a blind review cannot use confirm",
        ),
        (MOVED.replace("8123456", "unknown"), "row 2, column 'complaint_id': unknown has no allocation"),
        (MOVED.replace("8123456", ""), "row 2, column 'complaint_id': "),
        (MOVED.replace("analyst", ""), "row 2, column 'role': "),
        (CLEARED, "row 2, column 'feedback_id': row 1 has the same"),
        ("8123456,confirm\n", "row 2, column 'kind': the row has 2 values for 11 columns"),
    ],
    ids=str,
)
def test_a_file_with_one_wrong_row_is_not_handed_in(triage, deployment, statements, row, problem):
    result = triage("feedback", "--file", statements(CLEARED, row, MOVED), *ENV)
    assert result.code == 2
    assert problem in result.err
    assert "1 rows of" in result.err and "nothing was handed in" in result.err
    assert not list(deployment.story.query("FEEDBACK#8123456"))


@pytest.mark.usefixtures("applied")
def test_every_wrong_row_is_reported_together(triage, statements):
    """Both malformed rows and rows with unknown labels."""
    rows = (MOVED.replace("blind", "deaf"), CLEARED, MOVED.replace("Credit card", "Nothing").replace(",0.05", ",0.06"))
    result = triage("feedback", "--file", statements(*rows), *ENV)
    assert "row 1, column 'mode'" in result.err and "row 3, column 'product'" in result.err
    assert "2 rows of" in result.err


CONFIRMED = "complaint_id,kind,tasks,role,mode,at\n8123456,confirm,{},analyst,assisted,2026-03-02T10:00:00Z\n"


@pytest.mark.usefixtures("applied")
def test_a_file_names_the_tasks_that_are_confirmed(triage, deployment, statements):
    assert triage("feedback", "--file", statements(header=CONFIRMED.format("issue product")), *ENV).code == 0
    (row,) = deployment.story.query("FEEDBACK#8123456")
    assert row["tasks"] == ["issue", "product"]


@pytest.mark.usefixtures("applied")
def test_a_file_that_confirms_what_is_set_or_cleared_instead_is_refused(triage, deployment, statements):
    result = triage("feedback", "--file", statements(header=CONFIRMED.format("vulnerable")), *ENV)
    assert (result.code, list(deployment.story.query("FEEDBACK#8123456"))) == (2, [])
    assert "row 1, column 'tasks': confirm takes the tasks product, issue, not vulnerable" in result.err


@pytest.mark.parametrize(
    ("content", "columns"),
    [("", "none"), ("complaint_id,colour\n", "complaint_id, colour"), ("kind,kind\n", "kind, kind")],
)
def test_a_file_with_other_columns_than_feedback_has_is_refused(triage, deployment, statements, content, columns):
    file = statements(header=content)
    result = triage("feedback", "--file", file, *ENV)
    assert result.code == 2
    assert f"{file} has the columns {columns}; each may occur once and must be one of: kind, product" in result.err


def test_a_file_that_is_no_csv_is_refused(triage, deployment, statements):
    file = statements(header='kind\n"open\n')
    result = triage("feedback", "--file", file, *ENV)
    assert result.code == 2
    assert f"{file} is not a CSV file in UTF-8: unexpected end of data" in result.err


@pytest.mark.parametrize("arguments", [(), ("8123456",), ("--blind",)], ids=str)
def test_feedback_is_about_a_complaint_or_in_a_file(triage, deployment, arguments):
    result = triage("feedback", *arguments, *ENV)
    assert result.code == 2
    assert "name COMPLAINT_ID and KIND, or hand in a --file" in result.err


@pytest.mark.parametrize("argument", [("8123456", "confirm"), ("--blind",), ("--inclusion", "0.1")], ids=str)
def test_a_file_cannot_be_combined_with_options_of_a_single_complaint(triage, deployment, statements, argument):
    result = triage("feedback", *argument, "--file", statements(MOVED), *ENV)
    assert result.code == 2
    assert "leave out: " in result.err


def test_a_story_shows_what_was_said_and_what_it_replaced_in_the_order_of_time(triage, deployment):
    was, said = any_allocation(), any_feedback(kind="reallocate", product="Credit card")
    filed = {"complaint_id": "8123456", "code_version": "test"}
    moved = was.model_copy(update={"product_team": "credit-card", "version": 2, "decided_by": "person"})
    now = "2026-03-02T10:00:01.000Z"
    for entry in (
        moved,
        SupersededEntry(**filed, entry=SupersededEntry.key(1), superseded_at=now, allocation=was),
        FeedbackEntry(
            **filed,
            entry=FeedbackEntry.key(2),
            made_version=2,
            applied_at=now,
            labelled_on=now[:10],
            labels={"product": "Credit card"},
            feedback=said,
        ),
    ):
        deployment.story.put(entry)
    shown = triage("show", "8123456", *ENV).out
    assert "2, decided by a person" in shown
    assert shown.index("version 1: ") < shown.index("reallocate Credit card (analyst, assisted")
