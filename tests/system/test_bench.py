"""What `make bench` measures, on small models: every table is printed, and its figures are of these runs."""

import sys
from itertools import islice

import pytest

from benchmarks import __main__ as bench
from benchmarks import explanation, inference
from training.generator import generate

LETTERS = [letter.narrative for letter in islice(generate(4, seed=8), 4)]


@pytest.fixture
def told(monkeypatch, bundles, tmp_path, capsys):
    """Return what a benchmark prints, which is run with these arguments on the bundles of the tests."""
    for module in (explanation, inference):
        monkeypatch.setattr(module, "BUNDLES", (bundles["product"].parent,))
    # Of many letters the longest would be looked for.
    monkeypatch.setattr(explanation, "letters", lambda data: iter(LETTERS[:2]))
    monkeypatch.setattr(explanation, "REFERENCES", tmp_path / "references")
    monkeypatch.setattr(explanation, "PIPELINE_EVALUATIONS", 20)
    monkeypatch.setattr(explanation, "REFERENCE_EVALUATIONS", 60)
    monkeypatch.setenv("COLUMNS", "200")

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        module.main()
        return capsys.readouterr().out

    return run


def test_the_time_from_put_to_allocation_is_compared_with_a_loop_over_pipelines(machine, bundles, capsys):
    baseline = bench.in_a_loop(bundles.values(), LETTERS)
    alone = bench.put_and_wait(machine.deployment, "bench, one at a time", LETTERS, in_flight=1)
    together = bench.put_and_wait(machine.deployment, "bench, all at once", LETTERS, in_flight=len(LETTERS))
    for measured in (baseline, alone, together):
        assert len(measured.latencies) == len(LETTERS)
        assert all(0 < latency <= measured.seconds + 0.1 for latency in measured.latencies)
    bench.report(baseline, [alone, together])
    said = capsys.readouterr().out
    assert f"{alone.rate / baseline.rate:.2f}" in said and "load average" in said


def test_the_served_engine_is_compared_with_its_defaults(told):
    said = told(inference, "--rounds", "1")
    assert "as served" in said and "every optimization (baseline)" in said and "1.00" in said


def test_explanations_are_timed_and_compared_with_shap(told, tmp_path):
    said = told(explanation, "--rounds", "1", "--complaints", "1")
    assert "shap.Explainer over transformers.pipeline" in said and "ours, with words and checks" in said
    assert "Rank correlation" in said
    (kept,) = (tmp_path / "references").iterdir()
    written = kept.stat().st_mtime_ns
    told(explanation, "--rounds", "0", "--complaints", "1")
    # A reference takes a minute on real models, so it is kept.
    assert kept.stat().st_mtime_ns == written


def test_the_checks_of_explanations_are_counted(told):
    said = told(explanation, "--checks", "2")
    assert "Explanations of 2 complaints" in said and "2 of 2" in said
