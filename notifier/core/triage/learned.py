"""The learned layer: how much a text is like replies whose meaning people have told us.

A regression over examples (kernel ridge): each labelled reply speaks for or against each answer, the more the nearer it
is to the text in meaning and in what the rules found. So the reason is always a few replies that one can read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from notifier.core.triage.vectors import Array, Encoder

HEADS = ("red", "emergency", "care")  # the first answers; then one for each code
NARROW = np.float32(0.8)  # how fast an example's word loses weight with distance
OF_RULES = np.float32(0.15)  # what one difference in the rules' findings counts, beside the whole meaning's 1


@dataclass(frozen=True)
class Limits:
    """From which score on the layer acts; a nurse's data, in learned.toml."""

    page: float  # a red flag: somebody is paged
    emergency: float  # an emergency
    look: float  # perhaps a red flag: a nurse looks
    name: float  # one code, where no rule explains the text
    add: float  # one code beside what the rules found
    chatter: float  # at most so much of a need: small talk


@dataclass(frozen=True)
class Opinion:
    """The scores of one text, near 0 for no and near 1 for yes, and the examples that spoke for a red flag."""

    red: float
    emergency: float
    care: float  # it needs anybody at all
    kinds: Mapping[str, float]  # the likely codes
    like: tuple[str, ...]


@dataclass(frozen=True)
class Learned:
    """The examples, and how loudly each speaks for each answer."""

    encoder: Encoder
    limits: Limits
    features: Mapping[str, int]
    answers: Sequence[str]  # HEADS, then codes
    usual: Array  # each answer's score before any example has spoken
    vectors: Array  # (examples, 512)
    marks: NDArray[np.int8]  # (features, examples)
    voices: Array  # (examples, answers)
    texts: Sequence[str]

    @cached_property
    def _marked(self) -> NDArray[np.int32]:
        return marked(self.marks)

    def opinion(self, text: str, found: Iterable[str]) -> Opinion:
        """What the examples make of a plain text and of what the rules found in it."""
        own = [self.features[name] for name in found if name in self.features]
        weights = kernel(self.vectors, self.marks, self._marked, self.encoder.encode(text), own)
        scores = self.usual + weights @ self.voices
        spoke = weights * (self.voices[:, 0] > 0)
        nearest = np.argsort(-spoke)[:3]
        return Opinion(
            red=float(scores[0]),
            emergency=float(scores[1]),
            care=float(scores[2]),
            kinds={self.answers[n]: float(scores[n]) for n in np.argsort(-scores) if n > 2 and scores[n] > 0.1},
            like=tuple(self.texts[n] for n in nearest[np.argsort(-spoke[nearest])]),
        )


def marked(marks: NDArray[np.int8]) -> NDArray[np.int32]:
    """How much the rules found in each example."""
    return np.asarray(marks.sum(axis=0, dtype=np.int32))


def kernel(
    vectors: Array, marks: NDArray[np.int8], count: NDArray[np.int32], vector: Array, found: Sequence[int]
) -> Array:
    """The weight of each example's word for one text: 1 for itself, near 0 for what has nothing to do with it."""
    apart = 2 - 2 * (vectors @ vector)
    shared = marks[found].sum(axis=0, dtype=np.int32) if found else 0
    return np.asarray(np.exp(-NARROW * (apart + OF_RULES**2 * (count + len(found) - 2 * shared))), dtype=np.float32)
