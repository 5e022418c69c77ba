"""What staff type is guarded; and a refused text comes back said so that it may leave."""

import pytest

from notifier.core.wording import guard, plain, safer, segments
from webhooks.console.saved_answers import answers

NAMES = ("Otis", "Mockridge", "Marta Mockridge")


@pytest.mark.parametrize(
    ("typed", "better"),
    [
        ("your vancomycin is late", "Your medicine is late"),
        ("Otis Mockridge, please pick up", "Please pick up"),
        ("Hi Otis, your cefazolin comes at 4 PM", "Hi, your medicine comes at 4 PM"),
        ("See bit.ly/abc for more", "See for more"),
    ],
)
def test_a_refused_text_comes_back_as_one_that_may_leave(typed: str, better: str) -> None:
    assert guard(typed, NAMES)
    assert safer(typed, "en", NAMES) == better
    assert not guard(better, NAMES)


def test_in_spanish_the_medicine_is_unnamed_in_spanish() -> None:
    assert safer("su vancomicina llega hoy", "es-MX", NAMES) == "Su medicamento llega hoy"


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_saved_answer_may_leave_and_fits(language: str) -> None:
    for key, said in answers(language).items():
        assert guard(f"Pharmko: {said}") == [], key
        assert segments(plain(f"Pharmko: {said}"))[1] == "GSM-7", key
