"""What people read and hear: words, days, hours and numbers."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import catalog
from notifier.core.phones import e164
from notifier.core.vocabulary import Channel
from notifier.core.wording import (
    best_language,
    fill,
    guard,
    moment_values,
    plain,
    render,
    say_at,
    say_day,
    say_time,
    segments,
    spoken_phone,
    written_phone,
)

MESSAGES = catalog.load().messages
NEW_YORK = ZoneInfo("America/New_York")
WEDNESDAY = datetime(2026, 12, 2, 15, tzinfo=UTC)  # 10 in the morning in New York
NOON = datetime(2026, 12, 2, 17, tzinfo=UTC)
SITE = {"brand": "Pharmko", "phone": "+18005550100"}


def said(template: str, language: str = "en", channel: Channel = Channel.SMS) -> str:
    values = SITE | moment_values(WEDNESDAY, NOON, NEW_YORK, language)
    return render(MESSAGES[template], language, values, channel)


def test_ivy_reads_when_her_delivery_comes():
    assert said("M04") == (
        "Pharmko: Your delivery is set for Wednesday, Dec 2, 10 AM-12 PM. "
        "An adult should be home. Reply YES if OK or CHANGE for a new time."
    )


def test_ana_reads_the_same_in_spanish_without_dear_letters():
    words = said("M04", "es")
    assert words == (
        "Pharmko: Su entrega es el miércoles 2 dic de 10 am a 12 pm. "
        "Debe haber un adulto en casa. Responda SI o CAMBIAR."
    )
    assert segments(words) == (1, "GSM-7")
    assert "a las 10 am" in said("M09", "es-MX")


def test_bill_hears_the_whole_month_and_every_digit():
    assert "set for Wednesday, December 2, between 10 AM and 12 PM" in said("M04", channel=Channel.VOICE)
    assert "8 0 0, 5 5 5, 0 1 0 0" in said("M02", channel=Channel.VOICE)
    assert "el miércoles 2 de diciembre" in said("M04", "es", Channel.VOICE)


def test_a_value_that_is_not_there_is_a_fault_and_not_a_gap():
    with pytest.raises(KeyError):
        render(MESSAGES["M04"], "en", SITE, Channel.SMS)


def test_a_language_we_do_not_have_is_answered_in_english():
    assert best_language({"en": 1, "es": 2}, "vi") == "en"
    assert best_language({"en": 1, "es": 2}, "es-MX") == "es"


def test_a_key_of_the_phone_means_a_word():
    assert MESSAGES["M14"].key_word("2", "en") == "NOT OK"
    assert MESSAGES["M14"].key_word("2", "es") == "MAL"
    assert MESSAGES["M14"].key_word("7", "en") is None
    assert MESSAGES["M02"].key_word("1", "en") is None


@pytest.mark.parametrize(
    ("hour", "english", "spanish", "spoken"),
    [
        (0, "12 AM", "las 12 am", "las 12 de la mañana"),
        (9, "9 AM", "las 9 am", "las 9 de la mañana"),
        (12, "12 PM", "las 12 pm", "las 12 de la tarde"),
        (13, "1 PM", "la 1 pm", "la 1 de la tarde"),
        (21, "9 PM", "las 9 pm", "las 9 de la noche"),
    ],
)
def test_hours_as_people_say_them(hour, english, spanish, spoken):
    local = datetime(2026, 12, 2, hour, tzinfo=NEW_YORK)
    assert (say_at(local, "en"), say_at(local, "es"), say_at(local, "es", spoken=True)) == (english, spanish, spoken)


def test_half_hours_and_days():
    local = datetime(2026, 12, 5, 10, 30, tzinfo=NEW_YORK)
    assert say_time(local, "en") == "10:30 AM"
    assert (say_day(local, "en"), say_day(local, "es")) == ("Saturday, Dec 5", "sábado 5 dic")


def test_phones_written_and_spoken():
    assert written_phone("+18005550100") == "800-555-0100"
    assert written_phone("800-555-0100") == "800-555-0100"
    assert written_phone("+442071838750") == "+44 20 7183 8750"
    assert spoken_phone("+18005550100") == "8 0 0, 5 5 5, 0 1 0 0"


@pytest.mark.parametrize("text", ["(503) 555-0123", "503.555.0123", "1-503-555-0123", "+1 503 555 0123", "5035550123"])
def test_phones_as_pharmacies_write_them(text):
    assert e164(text) == "+15035550123"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("555-CALL-ANA", "not a phone number"),
        ("call me", "not a phone number"),
        ("", "not a phone number"),
        ("55501", "too short"),
        ("555-0123", "too short"),
        ("503555012345678", "too long"),
    ],
)
def test_what_is_no_phone_is_said_so(text, why):
    with pytest.raises(ValueError, match=why):
        e164(text)


# --- the alphabet of a text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("", (1, "GSM-7")),
        ("a" * 160, (1, "GSM-7")),
        ("a" * 161, (2, "GSM-7")),
        ("a" * 306, (2, "GSM-7")),
        ("a" * 307, (3, "GSM-7")),
        ("€" * 80, (1, "GSM-7")),
        ("€" * 81, (2, "GSM-7")),
        ("€" * 153, (3, "GSM-7")),  # 76 to a segment: none is cut in half
        ("á", (1, "UCS-2")),
        ("á" * 70, (1, "UCS-2")),
        ("á" * 71, (2, "UCS-2")),
        ("😀" * 35, (1, "UCS-2")),
        ("😀" * 67, (3, "UCS-2")),
    ],
)
def test_what_a_text_costs(text, cost):
    assert segments(text) == cost


def test_accents_that_make_a_text_dear_are_left_out():
    assert plain("mañana, sábado a las 10 — “sí”…") == 'mañana, sabado a las 10 - "si"...'
    assert fill("{brand}: {today}", {"brand": "Farmacia Ñandú", "today": "miércoles"}) == "Farmacia Ñandu: miércoles"


def test_what_has_no_plain_form_is_left_as_it_is():
    assert plain("Xin chào, đúng rồi") == "Xin chào, đúng rồi"
    assert plain("👍 sí") == "👍 sí"


@given(st.text(max_size=400))
def test_plain_words_never_cost_more(text):
    assert segments(plain(text))[0] <= max(segments(text)[0], segments(text.translate({0x2026: "..."}))[0])


# --- what staff may not write -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Pharmko: your vancomycin is late",
        "Pharmko: su vancomicina llega hoy",
        "Pharmko: Hi Ivy, we will call",
        "Pharmko: see bit.ly/abc",
        "Pharmko: " + "a very long story " * 20,
        "Pharmko: the TPN comes at 5",
    ],
)
def test_patient_data_and_novels_are_held_back(text):
    assert len(guard(text, names=("Ivy", "Mockridge"))) == 1


def test_plain_words_may_leave():
    for text in ("Pharmko: Your delivery comes at 5 today.", "Pharmko: Queremos servir mejor. Llame al 911."):
        assert guard(text, names=("Ivy", "Mockridge", "Le")) == []
