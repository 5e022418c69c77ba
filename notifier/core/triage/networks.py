"""The two networks of the learned layer, run by onnxruntime on one core, without a network card or a second thread."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from notifier.core.triage.pieces import Pieces

Array = NDArray[np.float32]
_QUIET = 3  # errors only


@dataclass(frozen=True)
class Words:
    """What a network knows of single pieces of words."""

    pieces: Pieces
    table: NDArray[np.int8]  # (pieces, width): a vector for each
    scale: Array  # (pieces,): what a vector is to be multiplied by

    def read(self, text: str) -> Array:
        """The vectors of a plain text's pieces."""
        numbers = self.pieces.of(text)
        return np.asarray(self.table[numbers] * self.scale[numbers, None], dtype=np.float32)


class Encoder:
    """A text as a vector of 512 numbers and length 1: near each other where two texts mean much the same.

    Google's multilingual universal sentence encoder (version 3), in English, in Spanish and across them.
    """

    def __init__(self, words: Words, model: bytes) -> None:
        self._words, self._session = words, _session(model)

    def encode(self, text: str) -> Array:
        """The vector of a plain text."""
        return np.asarray(_run(self._session, {"read": self._words.read(text)})[0])


class Judge:
    """A text's score for each answer, from 0 to 1: the first layers of multilingual E5, tuned on labelled replies."""

    def __init__(self, words: Words, model: bytes) -> None:
        self._words, self._session = words, _session(model)
        self._features = int(self._session.get_inputs()[1].shape[0])

    def scores(self, text: str, found: Iterable[int]) -> Array:
        """The scores of a plain text in which the rules found these features."""
        marks = np.zeros(self._features, dtype=np.float32)
        marks[list(found)] = 1
        return _run(self._session, {"read": self._words.read(text), "found": marks})


def _session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # no thread that a fork would lose
    options.enable_cpu_mem_arena = False  # it keeps what the longest text needed
    options.log_severity_level = _QUIET
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, inputs: Mapping[str, Any]) -> Array:
    (out,) = session.run(None, dict(inputs))
    return np.asarray(out, dtype=np.float32)
