"""The learned layer as files: the labelled replies it is trained on, its limits, and the model made of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from notifier.core.triage.learned import Examples, Learned, Limits
from notifier.core.triage.networks import Array, Encoder, Judge, Words
from notifier.core.triage.pieces import Pieces
from notifier.errors import Misconfigured

MODEL = Path(__file__).parent / "learned.npz"
REPLIES = Path(__file__).parent / "replies"
LIMITS = ("page", "emergency", "look", "name", "add", "chatter")
LONGEST = {"encoder": 192, "judge": 96}  # so many pieces of a text each network reads
_BYTES = ("axes", "vectors")  # kept as bytes, with one scale for each column


def _is_share(limit: object) -> bool:
    return isinstance(limit, int | float) and not isinstance(limit, bool) and 0 <= limit <= 1


def limits_of(given: Mapping[str, Any]) -> Limits:
    """The limits of learned.toml. Raises Misconfigured when one is no number from 0 to 1."""
    wrong = [name for name in LIMITS if not _is_share(given.get(name))]
    if wrong:
        raise Misconfigured(f"learned.toml: {', '.join(wrong)} must be a number from 0 to 1")
    return Limits(**{name: float(given[name]) for name in LIMITS})


def load_learned(given: Mapping[str, Any], model: Path = MODEL) -> Learned | None:
    """The learned layer with the limits of learned.toml; None where it is switched off or was never trained.

    Raises Misconfigured when a limit is no number from 0 to 1, or when the model cannot be read.
    """
    if not given.get("on", False) or not model.is_file():
        return None
    limits = limits_of(given)
    try:
        return replace(_model(model, model.stat().st_mtime_ns), limits=limits)
    except Exception as error:  # noqa: BLE001 - whatever a broken file makes of the libraries that read it
        raise Misconfigured(
            f"{model.name} cannot be read ({error}): make it anew with `notifier triage train`"
        ) from None


@lru_cache(maxsize=1)
def _model(model: Path, _written: int) -> Learned:
    """The model without its limits: the same for every catalog of this process."""
    with np.load(model, allow_pickle=False) as data:  # each part is read when it is asked for, and let go
        lists = {name: _unpacked(data[name]) for name in ("features", "answers", "texts")}
        return Learned(
            judge=Judge(_words(data, "judge"), data["judge"].tobytes()),
            encoder=Encoder(_words(data, "encoder"), data["encoder"].tobytes()),
            limits=Limits(*[1.0] * len(LIMITS)),
            features={name: number for number, name in enumerate(lists["features"])},
            answers=lists["answers"],
            examples=Examples(
                usual=data["usual"],
                axes=_whole(data, "axes"),
                vectors=_whole(data, "vectors"),
                marks=data["marks"],
                voices=data["voices"].astype(np.float32),
                texts=lists["texts"],
            ),
        )


def save_learned(
    examples: Examples,
    networks: Mapping[str, tuple[Sequence[str], Sequence[float], tuple[Any, Any], bytes]],
    features: Sequence[str],
    answers: Sequence[str],
    model: Path = MODEL,
) -> None:
    """Write a model, the same bytes for the same numbers. `networks`: of each its pieces, scores, table, and itself."""
    data: dict[str, Any] = {"usual": examples.usual, "marks": examples.marks}
    data["voices"] = examples.voices.astype(np.float16)  # bytes are too coarse
    for name in _BYTES:
        matrix = getattr(examples, name)
        scale = np.maximum(np.abs(matrix).max(axis=0) / 127, 1e-9).astype(np.float32)
        data |= {name: np.round(matrix / scale).astype(np.int8), f"{name}.scale": scale}
    for name, (pieces, scores, (rows, scale), network) in networks.items():
        data |= {name: np.frombuffer(network, dtype=np.uint8), f"{name}.table": rows, f"{name}.scale": scale}
        data |= {f"{name}.pieces": _packed(pieces), f"{name}.scores": np.array(scores, dtype=np.float32)}
    data |= {"features": _packed(features), "answers": _packed(answers), "texts": _packed(examples.texts)}
    np.savez_compressed(model, **data)


def _words(data: Mapping[str, Any], name: str) -> Words:
    pieces = Pieces(_unpacked(data[f"{name}.pieces"]), data[f"{name}.scores"].tolist(), LONGEST[name])
    return Words(pieces, data[f"{name}.table"], data[f"{name}.scale"])


def _whole(data: Mapping[str, Any], name: str) -> Array:
    return np.asarray(data[name].astype(np.float32) * data[f"{name}.scale"], dtype=np.float32)


def _packed(texts: Sequence[str]) -> Any:
    return np.frombuffer(json.dumps(list(texts), ensure_ascii=False).encode(), dtype=np.uint8)


def _unpacked(packed: Any) -> list[str]:
    found: list[str] = json.loads(packed.tobytes().decode())
    return found
