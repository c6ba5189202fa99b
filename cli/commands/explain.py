from pathlib import Path
from typing import Annotated, get_args

import typer

from cli import options
from cli.aws.deployment import find
from cli.aws.explanations import explanation
from cli.aws.functions import read_request
from cli.output import out, print_json, print_table
from cli.pages.formats import points
from triage.explanation.delivered import Delivered
from triage.explanation.rationale import checks_in_words
from triage.pages import write_page
from triage.steps import ExplanationRequest, LawfulBasis

WORDS = 6
"""Number of words that the terminal shows of a sentence: those with the largest effect."""


def explain(
    complaint_id: Annotated[str, typer.Argument(help="The complaint whose decision is explained.")],
    task: Annotated[str, typer.Option(help="The decision: product, issue, vulnerable, …")] = "product",
    purpose: Annotated[str, typer.Option(help="Purpose. It is recorded.")] = "request of a regulator",
    lawful_basis: Annotated[str, typer.Option(help=", ".join(get_args(LawfulBasis)))] = "legal obligation",
    seed: Annotated[int, typer.Option(help="Seed of the random divisions of the letter.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.", show_default=False)] = None,
    svg_file: Annotated[
        Path | None, typer.Option("--svg", help="Write the chart to this file.", show_default=False)
    ] = None,
    png_file: Annotated[
        Path | None, typer.Option("--png", help="Write the chart to this file.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(help="Longest time to wait, in seconds.")] = 300.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Let the model that decided explain its decision. Acts as the explainer's role; the requester is recorded."""
    deployment = find(env, state=state)
    request = read_request(
        ExplanationRequest,
        complaint_id=complaint_id,
        task=task,
        requester=deployment.operator,
        purpose=purpose,
        lawful_basis=lawful_basis,
        seed=seed,
    )
    delivered = explanation(deployment, request, timeout_seconds=timeout)
    _draw(delivered, html=html, svg=svg_file, png=png_file)
    if as_json:
        print_json(delivered)
    else:
        _print(delivered)


def _draw(delivered: Delivered, *, html: Path | None, svg: Path | None, png: Path | None) -> None:
    # Imported here, because matplotlib takes a second to import.
    from cli.pages import explanation as drawn

    if html is not None:
        write_page(html, drawn.page(delivered))
    if svg is not None:
        write_page(svg, drawn.svg(delivered))
    if png is not None:
        write_page(png, drawn.png(delivered))


def _print(delivered: Delivered) -> None:
    explained = delivered.explanation.explained
    out.print(delivered.explanation.rationale)
    print_table(
        f"Why {explained.label}",
        ("sentence", "points", "points of the runner-up", "text"),
        (
            (number, points(passage.label), points(passage.runner_up), passage.text.strip())
            for number, passage in enumerate(delivered.sentences, start=1)
        ),
    )
    for number, passage in enumerate(delivered.sentences, start=1):
        if passage.words:
            ranked = sorted(passage.words, key=lambda word: -abs(word.label))[:WORDS]
            out.print(
                f"sentence {number}: " + ", ".join(f"{word.text.strip()} {points(word.label)}" for word in ranked)
            )
    print_table("Checks", ("check", "value"), checks_in_words(explained))
    out.print(f"{delivered.explanation.entry} was handed to {delivered.requester} at {delivered.delivered_at}")
