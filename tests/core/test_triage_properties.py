"""What holds for every text whatever."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifier.catalog import load
from notifier.core.triage import Rules, missing_items, read, to_json
from notifier.core.vocabulary import Flag, Prompt, Role, Urgency

RULES: Rules = load().rules
EMERGENCIES = [
    *("i cant breathe", "no puedo respirar", "chest pain", "me duele el pecho", "she passed out", "se desmayo"),
    *("his mouth is crooked", "she is having a seizure", "bleeding wont stop", "i want to die", "quiero morirme"),
    *("my throat is closing", "throwing up blood", "she won't wake up", "should i call 911"),
]
WORDS = [
    *(
        "no",
        "not",
        "but",
        "fever",
        "chills",
        "last week",
        "gone",
        "better now",
        "lol",
        "what if",
        "just kidding",
        "nvm",
    ),
    *("is it normal", "my dog", "in the movie", "thanks", "ok", "STOP", "yes", "101.4", "room 102", "?", ".", "pump"),
    *("pero", "ya no", "se me quito", "gracias", "y si", "la semana pasada", "bien", "arm", "swollen", "missing", "🤒"),
]
texts = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from([*WORDS, *EMERGENCIES]), max_size=25).map(" ".join),
    st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace")),
    st.text(alphabet=string.digits + ".,/:°$%FCfc ", max_size=60),
)
# Whatever else a person adds, except a date long past, which only takes back what "had" or "was" began.
additions = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join))


@settings(max_examples=60, deadline=None)
@given(text=texts, prompt=st.one_of(st.none(), st.sampled_from(Prompt)), flags=st.frozensets(st.sampled_from(Flag)))
@example(text="", prompt=None, flags=frozenset())
@example(text="\x00\ud800 \u0301\u200d1/0 9.9.9.9.9", prompt=Prompt.TEMPERATURE, flags=frozenset())
@example(text="the " * 3000 + "fever", prompt=None, flags=frozenset())
@example(text="1" * 5000, prompt=Prompt.SUPPLY_COUNT, flags=frozenset())
@example(text="Liked " + '"' * 500, prompt=None, flags=frozenset())
@example(text="a hundred and " * 200, prompt=None, flags=frozenset())
def test_any_text_gets_a_reading_that_hangs_together(text: str, prompt: Prompt | None, flags: frozenset[Flag]) -> None:
    reading = read(text, RULES, prompt=prompt, flags=flags, last_outbound="Pharmko: How are you today? Reply OK.")
    assert reading.kinds
    assert set(reading.kinds) <= RULES.rows.keys()
    assert all(0 <= found.start < found.end <= len(text) for found in reading.evidence)
    assert reading.role is (Role.NURSE if reading.look else RULES.rows[reading.kinds[0]].role)
    assert reading.ticket or not reading.urgency.is_red
    assert set(to_json(reading, "x")) == {"id", "kinds", "urgency", "role", "ticket", "intent", "negated", "evidence"}
    unflagged = read(text, RULES, prompt=prompt, last_outbound="Pharmko: How are you today? Reply OK.")
    assert reading.urgency.rank <= unflagged.urgency.rank


@settings(max_examples=60, deadline=None)
@example(emergency="i cant breathe", more="MOVIE")
@given(emergency=st.sampled_from(EMERGENCIES), more=additions)
def test_nothing_said_after_it_makes_an_emergency_less(emergency: str, more: str) -> None:
    assert read(f"{emergency} {more}", RULES).urgency is Urgency.EMERGENCY
    assert read(f"{emergency}. {more}", RULES).urgency is Urgency.EMERGENCY


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_missing_items_come_from_the_list(text: str) -> None:
    manifest = [("Saline flush 10 mL", 28), ("Tubing set", 7), ("Alcohol wipes", 0)]
    names = [name for name, _ in missing_items(text, manifest)]
    assert set(names) <= {name for name, _ in manifest}
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", [str.upper, str.title, lambda text: f"  {text}!!  "])
@pytest.mark.parametrize("text", EMERGENCIES)
def test_shouting_and_spaces_change_nothing(text: str, case: object) -> None:
    assert callable(case)
    assert read(case(text), RULES).urgency is Urgency.EMERGENCY
