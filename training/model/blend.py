"""How much the encoder and the wide part count: their weighted sum that explains the validation part best."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from training.bundle.thresholds import Floats, Integers

START = (0.5, 0.5)
"""Each part explains the truth on its own, so both together count about half."""


@dataclass(frozen=True)
class Blend:
    """Weights of the two parts."""

    deep: float
    wide: float

    def of(self, logits: Floats, scores: Floats) -> Floats:
        """Both of shape (n, labels)."""
        return self.deep * logits + self.wide * scores


ENCODER_ALONE = Blend(deep=1.0, wide=0.0)


def fit_blend(logits: Floats, scores: Floats, truth: Integers) -> Blend:
    """The positive weights with the least cross entropy, for the truth of shape (n,).

    A logarithmic opinion pool: Heskes, Selecting weighting factors in logarithmic opinion pools, 1998.
    """
    rows = np.arange(len(truth))

    def loss(logarithms: Floats) -> float:
        blend = Blend(*np.exp(logarithms))
        return -float(log_softmax(blend.of(logits, scores), axis=1)[rows, truth].mean())

    found = minimize(loss, x0=np.log(START), method="Nelder-Mead", bounds=[(math.log(1e-3), math.log(1e3))] * 2)
    deep, wide = np.exp(found.x)
    return Blend(deep=float(deep), wide=float(wide))
