"""The page of a complaint's story: the current decision, the story, and the evidence for it."""

from markupsafe import Markup

from cli.pages.rendering import page_environment
from cli.pages.story_words import explained_reasons, facts, in_words, title
from triage.story import PredictionEntry
from triage.timeline.account import Account

SHOWN_BELOW = {
    "predicted": {"top", "weights sha256", "manifest sha256"},
    "explained": {"rationale", "weights sha256"},
}
"""By kind of moment, the facts that have a section of their own further down the page."""


def bars(prediction: PredictionEntry) -> Markup:
    """Return a picture of one prediction as SVG, without matplotlib, whose import takes seconds."""
    return Markup(page_environment(words=in_words).get_template("story_bars.svg.jinja").render(prediction=prediction))


def page(account: Account) -> str:
    """Return the page as HTML that needs no other file."""
    records = account.records
    environment = page_environment(bars=bars, facts=facts, title=title, words=in_words)
    return environment.get_template("story.html.jinja").render(
        account=account,
        records=records,
        allocation=records.allocation,
        reasons=explained_reasons(records.allocation.reasons if records.allocation else ()),
        shown_below=SHOWN_BELOW,
        predictions=sorted(records.predictions, key=lambda prediction: prediction.predicted_at),
        holds=[hold for hold in records.holds if hold.lifted_at is None],
        chains={"of the records": account.links, "of the feedback rows": account.inbox_links},
    )
