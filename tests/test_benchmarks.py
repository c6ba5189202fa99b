"""How the benchmarks choose the complaints that they measure on."""

from benchmarks import letters as mails
from benchmarks import near_duplicates, promotion
from benchmarks.explanation import letters, texts_of_medium_length


def words(text):
    return len(text.split())


def test_explanations_are_measured_on_the_first_complaints_of_medium_length():
    texts = ["one", *("word " * count for count in (140, 150, 260, 261, 200))]
    assert [words(text) for text in texts_of_medium_length(texts, words=words, count=2)] == [150, 260]


def test_the_longest_generated_letters_are_used_instead():
    chosen = texts_of_medium_length(letters(None), words=words, count=30)
    assert len(chosen) == 30
    assert min(map(words, chosen)) > 100


def test_no_complaint_is_chosen_from_none():
    assert texts_of_medium_length([], words=words, count=3) == []


def test_the_simulation_prints_and_draws_what_its_runs_gave(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(promotion, "LAST", 1_000)
    equal, better = promotion.SCENARIOS[0], promotion.SCENARIOS[2]
    outcomes = promotion.simulate([equal, better], 3, processes=1)
    assert {name: len(found) for name, found in outcomes.items()} == {equal.name: 3, better.name: 3}
    # A run depends on its number alone, not on the process that it ran in.
    assert outcomes[better.name] == [promotion.run(better, number) for number in range(3)]
    promotion.report(outcomes)
    said = capsys.readouterr().out
    assert "3 runs each" in said and equal.name in said and better.name in said
    promotion.draw(outcomes, tmp_path / "first.svg")
    promotion.draw(outcomes, tmp_path / "second.svg")
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_how_soon_and_how_often_is_counted_over_the_runs_in_which_it_happened():
    never, early, late = (promotion.Outcome(labels, None, None, None) for labels in (None, 200, 4_000))
    assert promotion.by((one.promoted for one in (never, early, late)), 1_000) == 1
    row = promotion._row("superiority: any", [never, early, late])
    assert row[1].startswith("66.7%") and row[6] == "2,100"
    assert row[7].startswith("0.0%") and row[8] == "-"
    assert promotion._row("non-inferiority: any", [never])[-1] == "-"


def test_grouping_is_measured_in_a_process_of_its_own(capsys, monkeypatch):
    monkeypatch.setattr(near_duplicates, "COUNTS", (30, 60))
    near_duplicates.main()
    rows = [line.split()[1::2] for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [row[:3] for row in rows] == [["30", "1", "29"], ["60", "1", "59"]]


def test_mails_are_read_as_their_letters_and_their_markup_is_not():
    known = mails.letters(None, count=330)
    found = mails.measured(known, count=30)
    assert found == mails.measured(known, count=30)
    assert found["plain letter"] == mails.Measured(1.0, 1.0, 1.0)
    for style, shares in found.items():
        assert shares.exact > 0.9 and shares.read > 0.95, style
        assert shares.as_written < shares.read or style == "plain letter", style
