"""The wide part: a small network on single tokens and pairs of tokens, and how it is blended with the encoder.

It sees exact words, which an encoder represents only roughly. It reads the token ids of the encoder's tokenizer, so
that one graph can hold both parts (see `training.bundle.graph`).
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse
from safetensors.numpy import save_file
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from tokenizers import Tokenizer

from training.bundle.thresholds import Floats, Integers
from training.data.prepare import Prepared, task_examples
from training.recipe import Recipe, TaskRecipe, WideRecipe

Ngram = tuple[int, ...]

Ids = Sequence[int]

Features: TypeAlias = scipy.sparse.csr_matrix

NO_TOKEN = -1

LEAST_TEXTS = 2
"""Texts in which a token or pair must occur: one that occurs in a single text says nothing about others."""

BLEND_START = (0.5, 0.5)
"""Weights of encoder and wide part at which their fit starts: each can predict labels alone, so equal ones."""


@dataclass(frozen=True)
class Vocabulary:
    """ngrams: single tokens first, then pairs. idf: the weight of each, shape (features,)."""

    ngrams: tuple[Ngram, ...]
    idf: npt.NDArray[np.float32]

    @property
    def singles(self) -> int:
        return sum(len(ngram) == 1 for ngram in self.ngrams)


@dataclass(frozen=True)
class Layer:
    """weights: (inputs, outputs); bias: (outputs,)."""

    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclass(frozen=True)
class WidePart:
    """A network of one layer, or of a hidden layer with rectified outputs and an output layer."""

    vocabulary: Vocabulary
    layers: tuple[Layer, ...]

    def scores(self, features: Any) -> Floats:
        """Return scores of shape (n, labels) for features of shape (n, features)."""
        *hidden, last = self.layers
        for layer in hidden:
            features = np.maximum(features @ layer.weights + layer.bias, 0.0)
        result: Floats = features @ last.weights + last.bias
        return result


def read(tokenizer: Tokenizer, texts: Sequence[str], *, length: int) -> list[Ids]:
    """Return the first token ids of each text, at most `length` of them."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.no_padding()
    own.enable_truncation(length)
    return [encoding.ids for encoding in own.encode_batch(list(texts))]


def learn_vocabulary(texts: Sequence[Ids], recipe: WideRecipe) -> Vocabulary:
    vectorizer = _vectorizer(max_features=recipe.features, min_df=LEAST_TEXTS).fit(texts)
    ngrams = sorted(vectorizer.vocabulary_, key=lambda ngram: (len(ngram), ngram))
    columns = [vectorizer.vocabulary_[ngram] for ngram in ngrams]
    return Vocabulary(tuple(ngrams), vectorizer.idf_[columns].astype(np.float32))


def features_of(texts: Sequence[Ids], vocabulary: Vocabulary) -> Features:
    """Return TF-IDF with logarithmic counts, each row scaled to length one; shape (n, features)."""
    vectorizer = _vectorizer(vocabulary={ngram: column for column, ngram in enumerate(vocabulary.ngrams)})
    vectorizer.idf_ = vocabulary.idf
    return scipy.sparse.csr_matrix(vectorizer.transform(texts))


def fit_wide(task: str, tokenizer: Tokenizer, prepared: Prepared, recipe: Recipe, settings: WideRecipe) -> WidePart:
    """Train the wide part of one task on the training data. settings: the recipe's section for the wide part."""
    train = task_examples(prepared.train, task, prepared.labels[task])
    texts = read(tokenizer, train.texts, length=settings.length)
    vocabulary = learn_vocabulary(texts, settings)
    return fit(
        features_of(texts, vocabulary),
        train.truth,
        vocabulary=vocabulary,
        aim=recipe.tasks[task],
        recipe=settings,
        seed=recipe.seed,
    )


def fit(
    features: Features,
    labels: Integers,
    *,
    vocabulary: Vocabulary,
    aim: TaskRecipe,
    recipe: WideRecipe,
    seed: int,
) -> WidePart:
    """Train the wide part of one task. labels: shape (n,); each of 0 … k - 1 must occur."""
    if aim.wide_units:
        network = MLPClassifier(
            hidden_layer_sizes=(aim.wide_units,),
            learning_rate_init=recipe.learning_rate,
            batch_size=min(recipe.batch_size, len(labels)),
            alpha=aim.wide_decay,
            max_iter=recipe.epochs,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # Few epochs on purpose: with more, the network would memorise the texts.
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(features, labels)
        layers = [Layer(*layer) for layer in zip(network.coefs_, network.intercepts_, strict=True)]
    else:
        regression = LogisticRegression(C=1 / aim.wide_decay, max_iter=1000, random_state=seed).fit(features, labels)
        layers = [Layer(regression.coef_.T, regression.intercept_)]
    *below, last = layers
    return WidePart(vocabulary, (*below, _one_output_per_label(last)))


def _one_output_per_label(last: Layer) -> Layer:
    """Return a layer with an output for each label: for two labels scikit-learn gives only that of the second."""
    if len(last.bias) > 1:
        return last
    return Layer(np.hstack([np.zeros_like(last.weights), last.weights]), np.concatenate([[0.0], last.bias]))


def save(wide: WidePart, path: Path, *, mean: Layer | None = None) -> None:
    """Write safetensors: `ngrams` of shape (features, 2), with -1 for a missing second token, `idf`, and each layer.

    mean: the head on the mean of all tokens, which `transformers` would not store with the encoder.
    """
    ngrams = [(*ngram, NO_TOKEN) if len(ngram) == 1 else ngram for ngram in wide.vocabulary.ngrams]
    tensors = {"ngrams": np.array(ngrams, dtype=np.int32), "idf": wide.vocabulary.idf}
    layers = {f"layers.{number}": layer for number, layer in enumerate(wide.layers)}
    for name, layer in {**layers, **({} if mean is None else {"mean": mean})}.items():
        tensors[f"{name}.weights"] = np.ascontiguousarray(layer.weights, dtype=np.float32)
        tensors[f"{name}.bias"] = np.ascontiguousarray(layer.bias, dtype=np.float32)
    save_file(tensors, path)


def _vectorizer(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=_ngrams, sublinear_tf=True, dtype=np.float32, **options)


def _ngrams(ids: Ids) -> list[Ngram]:
    return [*((token,) for token in ids), *pairwise(ids)]


@dataclass(frozen=True)
class Blend:
    """The weights of both parts in the sum that is served."""

    deep: float
    wide: float

    def of(self, logits: Floats, scores: Floats) -> Floats:
        """Return the weighted sum; both of shape (n, labels)."""
        return self.deep * logits + self.wide * scores


ENCODER_ALONE = Blend(deep=1.0, wide=0.0)


def fit_blend(logits: Floats, scores: Floats, truth: Integers) -> Blend:
    """Return the positive weights with the smallest cross entropy, for true labels of shape (n,).

    A logarithmic opinion pool: Heskes, Selecting weighting factors in logarithmic opinion pools, 1998.
    """
    rows = np.arange(len(truth))

    def loss(logarithms: Floats) -> float:
        blend = Blend(*np.exp(logarithms))
        return -float(log_softmax(blend.of(logits, scores), axis=1)[rows, truth].mean())

    found = minimize(loss, x0=np.log(BLEND_START), method="Nelder-Mead", bounds=[(math.log(1e-3), math.log(1e3))] * 2)
    deep, wide = np.exp(found.x)
    return Blend(deep=float(deep), wide=float(wide))
