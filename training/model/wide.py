"""The wide part: a small network on tokens and pairs of tokens, which knows the words that an encoder blurs.

It reads the ids of the encoder's own tokenizer, so that one graph holds both parts (see `training.bundle.graph`).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse
from safetensors.numpy import save_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from tokenizers import Tokenizer

from training.bundle.thresholds import Floats, Integers
from training.recipe import TaskRecipe, WideRecipe

Ngram = tuple[int, ...]

Ids = Sequence[int]

Features: TypeAlias = scipy.sparse.csr_matrix

NO_TOKEN = -1

SEEN_TWICE = 2
"""What only one text has teaches nothing about others."""


@dataclass(frozen=True)
class Vocabulary:
    """ngrams: single tokens first, then pairs; idf: the weight of each, shape (features,)."""

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
    """One layer, or a hidden one with rectified outputs and one more."""

    vocabulary: Vocabulary
    layers: tuple[Layer, ...]

    def scores(self, features: Any) -> Floats:
        """Shape (n, labels), for features of shape (n, features)."""
        *hidden, last = self.layers
        for layer in hidden:
            features = np.maximum(features @ layer.weights + layer.bias, 0.0)
        result: Floats = features @ last.weights + last.bias
        return result


def read(tokenizer: Tokenizer, texts: Sequence[str], *, length: int) -> list[Ids]:
    """Token ids, at most `length` of each text."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.no_padding()
    own.enable_truncation(length)
    return [encoding.ids for encoding in own.encode_batch(list(texts))]


def learn_vocabulary(texts: Sequence[Ids], recipe: WideRecipe) -> Vocabulary:
    vectorizer = _vectorizer(max_features=recipe.features, min_df=SEEN_TWICE).fit(texts)
    ngrams = sorted(vectorizer.vocabulary_, key=lambda ngram: (len(ngram), ngram))
    columns = [vectorizer.vocabulary_[ngram] for ngram in ngrams]
    return Vocabulary(tuple(ngrams), vectorizer.idf_[columns].astype(np.float32))


def features_of(texts: Sequence[Ids], vocabulary: Vocabulary) -> Features:
    """TF-IDF with logarithmic counts and rows of length one; shape (n, features)."""
    vectorizer = _vectorizer(vocabulary={ngram: column for column, ngram in enumerate(vocabulary.ngrams)})
    vectorizer.idf_ = vocabulary.idf
    return scipy.sparse.csr_matrix(vectorizer.transform(texts))


def fit(
    features: Features,
    labels: Integers,
    *,
    vocabulary: Vocabulary,
    aim: TaskRecipe,
    recipe: WideRecipe,
    seed: int,
) -> WidePart:
    """labels: (n,), each of 0 … k - 1 among them."""
    learn = _network if aim.wide_units else _regression
    *below, last = learn(features, labels, aim=aim, recipe=recipe, seed=seed)
    return WidePart(vocabulary, (*below, _for_each_label(last)))


def _network(
    features: Features,
    labels: Integers,
    *,
    aim: TaskRecipe,
    recipe: WideRecipe,
    seed: int,
) -> Iterator[Layer]:
    network = MLPClassifier(
        hidden_layer_sizes=(aim.wide_units,),
        learning_rate_init=recipe.learning_rate,
        batch_size=min(recipe.batch_size, len(labels)),
        alpha=aim.wide_decay,
        max_iter=recipe.epochs,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Few epochs are meant: on more, it learns the texts by heart.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(features, labels)
    yield from map(Layer, network.coefs_, network.intercepts_)


def _regression(
    features: Features,
    labels: Integers,
    *,
    aim: TaskRecipe,
    recipe: WideRecipe,
    seed: int,
) -> Iterator[Layer]:
    regression = LogisticRegression(C=1 / aim.wide_decay, max_iter=1000, random_state=seed).fit(features, labels)
    yield Layer(regression.coef_.T, regression.intercept_)


def _for_each_label(last: Layer) -> Layer:
    """For two labels the network has one output, the logit of the second."""
    if len(last.bias) > 1:
        return last
    return Layer(np.hstack([np.zeros_like(last.weights), last.weights]), np.concatenate([[0.0], last.bias]))


def save(wide: WidePart, path: Path, *, mean: Layer | None = None) -> None:
    """Write safetensors: `ngrams` of shape (features, 2), -1 where there is no second token, `idf`, and each layer.

    mean: the encoder's head on the mean of all tokens, for which the layout of its own safetensors has no place.
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
