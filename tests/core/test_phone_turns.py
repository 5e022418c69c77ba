"""A conversation on the phone, whatever keys come: it ends, and zero means a person at every step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import catalog
from notifier.core.phone import PATIENCE, REPEATS, SILENCES, Entry, Move, Step, Turn, turn

CALLERS = (Step.IDENTITY, Step.WORDS, Step.MENU, Step.MORE, Step.CONFIRM)
ANYTHING = st.sampled_from([*"0123456789*#", ""])
SHIPPED = catalog.load()


def answered(step: Step, key: str, before: Turn | None = None) -> Turn:
    counts = {name: getattr(before, name) for name in ("silences", "wrong", "repeats")} if before else {}
    return turn(step, Entry(key=key, **counts))


@pytest.mark.parametrize("step", CALLERS)
def test_zero_is_a_person_at_every_step(step):
    assert answered(step, "0").move is Move.PERSON


@pytest.mark.parametrize("step", [Step.IDENTITY, Step.WORDS])
def test_eight_stops_the_calls_at_every_step_of_a_call_of_ours(step):
    assert answered(step, "8").move is Move.STOP


@given(st.sampled_from(list(Step)), st.lists(ANYTHING, min_size=40, max_size=40))
def test_no_step_is_asked_for_ever(step, keys):
    asked = 0
    now = Turn(Move.AGAIN)
    for key in keys:
        now = answered(step, key, now)
        if now.move is not Move.AGAIN:
            break
        asked += 1
    assert now.move is not Move.AGAIN
    assert asked <= REPEATS + SILENCES + PATIENCE


@given(st.sampled_from(list(Step)), st.text(max_size=40), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_whatever_comes_there_is_a_move(step, words, silences, wrong, repeats):
    for entry in (Entry(words=words, silences=silences, wrong=wrong, repeats=repeats), Entry(key=words[:1])):
        assert turn(step, entry).move in Move


@given(st.text(min_size=1, max_size=60))
def test_words_are_read_back_whole(words):
    for step in (Step.WORDS, Step.MENU, Step.MORE):
        heard = turn(step, Entry(words=words))
        assert (heard.move, heard.word) == (Move.HEAR, words)


@pytest.mark.parametrize(
    ("words", "move"),
    [("yes", Move.PROCEED), ("Yes, speaking.", Move.PROCEED), ("sí", Move.PROCEED), ("No.", Move.OTHER)],
)
def test_who_they_are_may_be_said(words, move):
    assert turn(Step.IDENTITY, Entry(words=words)).move is move


def test_a_key_means_what_the_message_says_it_means():
    meanings = SHIPPED.messages["M07"].keys["es"]
    assert turn(Step.WORDS, Entry(key="2"), meanings) == Turn(Move.TELL, "FALTA")


def test_silence_at_the_read_back_keeps_the_words():
    assert turn(Step.CONFIRM, Entry()).move is Move.AGREED


def test_no_message_offers_more_than_three_choices_nor_a_key_that_is_taken():
    for key, template in SHIPPED.messages.items():
        for keys in template.keys.values():
            assert len(keys) <= 3 or key == "M28", key  # a scale from poor to great is one choice
            assert not {"0", "8", "9"} & set(keys), key


def test_every_journey_message_can_be_spoken_in_every_language():
    for step in SHIPPED.journeys.steps:
        assert set(SHIPPED.messages[step.template].voice) == {"en", "es"}, step.key


def test_no_word_of_a_call_before_the_first_key_or_to_a_machine_tells_of_health():
    telling = ("delivery", "nurse", "medicine", "dose", "entrega", "enfermera", "medicina", "dosis", "visit", "visita")
    for key in ("voice.opening", "voice.identity", "voice.voicemail", "voice.wrong_person", "voice.from_us"):
        for words in SHIPPED.messages[key].voice.values():
            assert not [word for word in telling if word in words.lower()], (key, words)
