"""Saved answers: what staff often say to patients, in the patient's language."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from notifier.core.wording import best_language


@cache
def _all() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_name("answers.toml").read_text(encoding="utf-8"))


def answers(language: str) -> dict[str, str]:
    """Every saved answer in a language, by its key."""
    return {key: said[best_language(said, language)] for key, said in _all().items()}
