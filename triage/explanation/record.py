"""The stored form of an explanation: places in the text, figures and checks, but no word of the text."""

from triage.contracts import Contract


class Part(Contract):
    """The characters from `start` up to, but without, `end` of the text that the model read."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


class Attribution(Contract):
    """By how much a part changed the probability of the label and of the runner-up."""

    part: Part
    label: float
    runner_up: float


class Words(Contract):
    """The words of one sentence, explained while the sentences `company` are shown beside it.

    company: the sentences with which this sentence had its largest effect. label, runner_up: the effect of the sentence
    beside them, which is the sum of the effects of its words.
    """

    sentence: int
    company: tuple[int, ...]
    label: float
    runner_up: float
    words: tuple[Attribution, ...]


class Faithfulness(Contract):
    """Mean probability of the label while parts are hidden (deletion) or shown (insertion) one after the other.

    The part with the largest positive effect comes first. at_random: the same figures in random orders.
    """

    deletion: float
    deletion_at_random: float
    insertion: float
    insertion_at_random: float


class Checks(Contract):
    """The outcome of all checks. failures: a sentence for each failed one.

    additivity_residual: base value plus all attributions, less the model's own answer.
    stability: lowest rank correlation between the attributions of two trees; None for a single part.
    """

    additivity_residual: float
    faithfulness: Faithfulness | None = None
    stability: float | None = None
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures


class Method(Contract):
    """How the attributions were computed, with everything needed to repeat that.

    masker: the token that replaces each hidden token. evaluations: how many answers of the model were needed.
    """

    name: str
    output: str
    masker: str
    seed: int
    trees: int
    evaluations: int


class Truncation(Contract):
    """How much of the text the model read. The rest had no influence on its answer."""

    tokens_seen: int
    tokens_total: int
    characters_read: int
    characters_total: int


class Explained(Contract):
    """One explained decision.

    label: the recorded label. reproduced: whether the model gave the recorded answer again. sentences: all that it
    read. base_value, full_value: the probabilities of label and runner-up with every word hidden, and with none hidden.
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
