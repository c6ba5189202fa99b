"""The page: the facts first, then the story, and then what it rests on."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli.pages.story_pictures import bars
from triage.explanation.rationale import checks_in_words, percent
from triage.timeline.account import Account
from triage.timeline.events import Predicted

TEMPLATE = "story.html.jinja"
SAID_ELSEWHERE = {
    "predicted": {"top", "weights sha256", "manifest sha256"},
    "explained": {"rationale", "weights sha256"},
}
"""Facts that have a place of their own further down, by the kind of the moment."""


def page(told: Account) -> str:
    """HTML that needs nothing beside itself."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "bars": bars, "checks": checks_in_words}
    return environment.get_template(TEMPLATE).render(
        told=told,
        allocation=told.allocation,
        elsewhere=SAID_ELSEWHERE,
        predicted=[moment for moment in told.moments if isinstance(moment, Predicted)],
        holds=[hold for hold in told.holds if hold.lifted_at is None],
        chains={"of the records": told.links, "of feedback as it was handed in": told.inbox_links},
    )
