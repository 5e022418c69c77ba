"""The learned layer as files: the labelled replies it is trained on, its limits, and the model made of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from notifier.core.triage.learned import Learned, Limits
from notifier.core.triage.vectors import Encoder, whole
from notifier.errors import Misconfigured

MODEL = Path(__file__).parent / "learned.npz"
REPLIES = Path(__file__).parent / "replies"
LIMITS = ("page", "emergency", "look", "name", "add", "chatter")
_LISTS = ("pieces", "features", "answers", "texts")


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
        with np.load(model, allow_pickle=False) as file:
            data = {name: file[name] for name in file.files}
            lists = {name: _unpacked(data.pop(name)) for name in _LISTS}
            return Learned(
                encoder=Encoder(lists["pieces"], data),
                limits=limits,
                features={name: number for number, name in enumerate(lists["features"])},
                answers=lists["answers"],
                usual=data["usual"],
                axes=whole(data, "axes"),
                vectors=whole(data, "vectors"),
                marks=data["marks"],
                voices=whole(data, "voices"),
                texts=lists["texts"],
            )
    except (OSError, KeyError, ValueError) as error:
        raise Misconfigured(
            f"{model.name} cannot be read ({error}): make it anew with `notifier triage train`"
        ) from None


def save_learned(weights: Mapping[str, Any], lists: Mapping[str, Sequence[str]], model: Path = MODEL) -> None:
    """Write a model, the same bytes for the same numbers."""
    np.savez_compressed(model, **weights, **{name: _packed(lists[name]) for name in _LISTS})


def _packed(texts: Sequence[str]) -> Any:
    return np.frombuffer(json.dumps(list(texts), ensure_ascii=False).encode(), dtype=np.uint8)


def _unpacked(packed: Any) -> list[str]:
    found: list[str] = json.loads(packed.tobytes().decode())
    return found
