"""What an explanation says, without a word of the text: places, figures and checks."""

from triage.contracts import Contract


class Part(Contract):
    """Characters `start` to `end`, exclusive, of the text as the model read it."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


class Attribution(Contract):
    """By how much a part moved the probability of the label, and of the runner-up."""

    part: Part
    label: float
    runner_up: float


class Words(Contract):
    """The words of one sentence, in the company of those other sentences among which it moved the answer most.

    label, runner_up: what the sentence moved there; its words add up to that.
    """

    sentence: int
    company: tuple[int, ...]
    label: float
    runner_up: float
    words: tuple[Attribution, ...]


class Faithfulness(Contract):
    """Mean probability of the label while parts are hidden (deletion) or shown (insertion), those first that speak
    most for it; beside the same in random orders."""

    deletion: float
    deletion_at_random: float
    insertion: float
    insertion_at_random: float


class Checks(Contract):
    """additivity_residual: between base value and attributions together, and what the model says by itself.

    stability: lowest rank correlation between the attributions along any two trees. None: one part cannot be ranked.
    failures: in words; empty where all is well.
    """

    additivity_residual: float
    faithfulness: Faithfulness | None = None
    stability: float | None = None
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures


class Method(Contract):
    """How attributions were made, and all it takes to make them again.

    masker: the token in the place of each hidden one. evaluations: answers of the model that were needed.
    """

    name: str
    output: str
    masker: str
    seed: int
    trees: int
    evaluations: int


class Truncation(Contract):
    """The model read `characters_read` characters and `tokens_seen` tokens; nothing behind them had a part in it."""

    tokens_seen: int
    tokens_total: int
    characters_read: int
    characters_total: int


class Explained(Contract):
    """base_value: the probabilities of label and runner-up with every word hidden. sentences: all that were read.

    reproduced: whether the model said again what was recorded; `label` is what was recorded in any case.
    """

    label: str
    runner_up: str
    reproduced: bool
    replayed_label: str
    replayed_confidence: float
    base_value: tuple[float, float]
    full_value: tuple[float, float]
    sentences: tuple[Attribution, ...]
    words: tuple[Words, ...]
    method: Method
    truncation: Truncation
    checks: Checks
