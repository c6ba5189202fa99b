"""A complaint's story in words, the same in the terminal and on the page."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from triage.bundle import Thresholds
from triage.clock import Clock
from triage.reason import Reason
from triage.steps import ModelReference
from triage.story import Decision, Probability
from triage.timeline.timeline import Moment

ASKED: Final = {
    "triage": "triage looks at it first",
    "team": "the team that gets it",
    "specialist": "the specialist journey",
}


def title(moment: Moment) -> str:
    return moment.kind.replace("_", " ")


def facts(moment: Moment) -> dict[str, str]:
    """Return the known values of a moment as text, by field name, without those already in its `detail`."""
    left_out = Moment.model_fields.keys() | moment.IN_DETAIL
    values = {name: in_words(getattr(moment, name)) for name in type(moment).model_fields if name not in left_out}
    return {name.replace("_", " "): words for name, words in values.items() if words}


def explained_reasons(reasons: Iterable[Reason]) -> list[tuple[str, str, str]]:
    """Return each reason of an allocation: its text, whom it asks, and what it means."""
    return [(reason.text, ASKED[reason.asks], reason.explanation) for reason in reasons]


def in_words(value: Any) -> str:
    return "; ".join(_words(value))


def _words(value: Any) -> Iterator[str]:
    match value:
        case None | "" | ():
            pass
        case bool():
            yield "yes" if value else "no"
        case float():
            yield f"{value:.4g}"
        case ModelReference():
            yield model_in_words(value)
        case Probability():
            yield f"{value.label} {value.probability:.3f}"
        case Decision():
            threshold = "" if value.auto_threshold is None else f" against {value.auto_threshold:g}"
            yield f"{value.task} {value.label} {value.confidence:.3f}{threshold} by {value.model.version}"
        case Clock():
            extended = f", exceptionally {value.extended_at}" if value.extended_at else ""
            yield f"{value.kind}: received {value.received_on}, due {value.due_at}{extended}"
        case Thresholds():
            known = {"without a person from": value.auto, "flagged from": value.flag}
            yield ", ".join(f"{name} {limit:g}" for name, limit in known.items() if limit is not None) or "none"
        case dict():
            yield from (f"{name} {element}" for name, element in value.items())
        case tuple():
            for element in value:
                yield from _words(element)
        case _:
            yield str(value)


def model_in_words(model: ModelReference) -> str:
    """
    >>> model_in_words(ModelReference(task="product", model_id="acme/m", revision="0" * 40, engine="onnx",
    ...     manifest_sha256="0" * 64, arm="champion", bucket=7, strategy_version=2))
    'product acme/m@0000000000000000000000000000000000000000 (arm champion, bucket 7, strategy version 2)'
    """
    known = {"arm": model.arm, "bucket": model.bucket, "strategy version": model.strategy_version}
    origin = [f"{name} {value}" for name, value in known.items() if value is not None]
    origin += [f"stand-in {model.stand_in.version}"] if model.stand_in else []
    return f"{model.task} {model.version} ({', '.join(origin) or 'the only active model of its task'})"
