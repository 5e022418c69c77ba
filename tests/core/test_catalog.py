"""The words and the rhythm that are shipped, and a pharmacy's own laid over them."""

import pytest

from notifier import catalog
from notifier.catalog import check
from notifier.core.vocabulary import Channel, EventKind, Prompt, Rung, Urgency
from notifier.core.wording import segments
from notifier.errors import Misconfigured

SHIPPED = catalog.load()


def test_all_thirty_messages_are_there_in_both_languages():
    for number in range(1, 31):
        template = SHIPPED.messages[f"M{number:02}"]
        assert set(template.text) == set(template.voice) == {"en", "es"}


def test_what_is_shipped_has_no_fault():
    assert check.faults(SHIPPED) == []


def test_every_message_begins_with_the_sender_and_keeps_to_two_segments():
    for key, template in SHIPPED.messages.items():
        for language, words in template.text.items():
            assert words.startswith("{brand}") or key.startswith(check.WITHOUT_SENDER), key
            assert segments(SHIPPED.render(key, language, Channel.SMS, check.LONGEST))[0] <= 2, (key, language)


def test_whoever_is_asked_how_they_feel_is_told_of_911():
    for key in ("M13", "M14", "M26"):
        for words in SHIPPED.messages[key].text.values():
            assert "911" in words
            assert "{phone}" in words


def test_no_page_says_who_the_patient_is():
    page = SHIPPED.messages["page"]
    values = {"brand": "Pharmko", "number": "412", "urgency": "URGENT", "role": "nurse", "age": "2 min"}
    assert SHIPPED.render("page", "en", Channel.SMS, values) == (
        "Pharmko #412 URGENT nurse, 2 min old. Reply A to take it, P to pass."
    )
    assert page.key_word("1", "en") == "A"


def test_the_words_for_a_text_that_could_not_be_stored():
    assert SHIPPED.render("unreadable", "en", Channel.SMS, {"phone": "+18005550100"}) == (
        "We could not read your text. Nurse 24/7 800-555-0100. Emergency? Call 911."
    )


def test_a_question_keeps_what_it_asked():
    asked = {step.key: step.asks for step in SHIPPED.journeys.steps if step.asks}
    assert asked["delivery.set"] is Prompt.DELIVERY_CONFIRM
    assert asked["delivery.arrived"] is asked["delivery.no_answer"] is Prompt.DELIVERED_CHECK
    assert asked["check_in"] is Prompt.CHECK_IN


def test_every_urgency_has_a_ladder():
    assert set(SHIPPED.ladders) == set(list(Urgency)[:-1])
    assert SHIPPED.ladders[Urgency.EMERGENCY][0].who is Rung.BOTH


# --- a pharmacy's own ---------------------------------------------------------------------------------------------


def test_a_pharmacy_says_it_in_its_own_words_and_in_a_third_language(tmp_path):
    (tmp_path / "messages.en.toml").write_text('[M02]\ntext = "{brand}: All set. {phone}"\n')
    (tmp_path / "messages.fr.toml").write_text('[M02]\ntext = "{brand}: Tout est prêt. {phone}"\nvoice = "Prêt."\n')
    own = catalog.load(tmp_path)
    values = {"brand": "Pharmko", "phone": "+18005550100"}
    assert own.languages == ("en", "es", "fr")
    assert own.render("M02", "en", Channel.SMS, values) == "Pharmko: All set. 800-555-0100"
    assert own.render("M02", "fr", Channel.SMS, values) == "Pharmko: Tout est pret. 800-555-0100"
    assert own.messages["M02"].voice["en"] == SHIPPED.messages["M02"].voice["en"]
    assert f"{tmp_path}/messages.fr.toml: M01: text is missing: say in it what the English says" in check.faults(own)


def test_a_pharmacy_moves_a_step_and_adds_one(tmp_path):
    (tmp_path / "journeys.toml").write_text(
        '[[step]]\nkey = "check_in"\nat = "11:00"\n\n'
        '[[step]]\nkey = "visit.hour_before"\ntemplate = "M12"\nabout = "visit"\nanchor = "start"\n'
        'days = [-1]\nnot_after = ["start"]\n'
    )
    steps = {step.key: step for step in catalog.load(tmp_path).journeys.steps}
    assert steps["check_in"].at.hour == 11
    assert steps["check_in"].template == "M14"
    assert steps["visit.hour_before"].about is EventKind.VISIT


def test_every_fault_is_named_at_once_with_its_file_and_key(tmp_path):
    (tmp_path / "journeys.toml").write_text(
        '[[step]]\nkey = "odd"\ntemplate = "M99"\nabout = "party"\nanchor = "start"\n'
        'not_after = ["soon"]\nat = "25:00"\n'
    )
    (tmp_path / "messages.es.toml").write_text('[M77]\ntext = "hola"\n')
    (tmp_path / "ladders.toml").write_text('[ladder.urgent]\nrungs = [{ who = "mother", by = "sms", after = 0 }]\n')
    with pytest.raises(Misconfigured) as refused:
        catalog.load(tmp_path)
    for words in (
        *("journeys.toml: odd: template: no message M99", "journeys.toml: odd: about:", "not_after: soon", "odd: at:"),
        *("messages.es.toml: M77 is not in messages.en.toml", "ladders.toml: ladder.urgent: rung 1"),
    ):
        assert words in str(refused.value)


def test_a_file_that_is_not_toml_is_said_so(tmp_path):
    (tmp_path / "messages.en.toml").write_text("[M02\n")
    with pytest.raises(Misconfigured, match="is not TOML"):
        catalog.load(tmp_path)


def test_dear_letters_long_texts_and_unknown_placeholders_are_found(tmp_path):
    (tmp_path / "messages.es.toml").write_text('[M02]\ntext = "{brand}: revisión {patient}"\n')
    (tmp_path / "messages.en.toml").write_text(f'[M03]\ntext = "{{brand}}: {"word " * 70}"\n[M04]\ntext = "café ✓"\n')
    found = " ".join(check.faults(catalog.load(tmp_path)))
    assert "messages.es.toml: M02: text: no such placeholder: patient" in found
    assert "messages.en.toml: M03: text: 3 segments" in found
    assert "messages.en.toml: M04: text: write it without ✓" in found
