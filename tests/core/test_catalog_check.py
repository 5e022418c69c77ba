"""Catalogs that pharmacists and translators got wrong: each fault is named with its file, its key and what to write."""

from itertools import count
from pathlib import Path

import pytest

from notifier import catalog
from notifier.catalog import check
from notifier.catalog.grade import grade


@pytest.fixture
def mended(tmp_path: Path):
    """The faults of the shipped catalog with one file of a pharmacy's own laid over it."""

    folders = (tmp_path / str(number) for number in count())

    def faults(name: str, content: str) -> list[str]:
        folder = next(folders)
        folder.mkdir()
        (folder / name).write_text(content, encoding="utf-8")
        return [fault.replace(f"{folder}/", "") for fault in check.faults(catalog.load(folder))]

    return faults


def one(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


# --- languages ----------------------------------------------------------------------------------------------------


def test_a_pharmacys_own_file_is_named_by_its_path_and_ours_is_not(tmp_path):
    (tmp_path / "messages.en.toml").write_text(
        '[M15]\nnote = "x"\ntext = "{brand}: Time. Reply DONE or CALL or LATER."\n'
    )
    found = check.faults(catalog.load(tmp_path))
    assert f"{tmp_path}/messages.en.toml: M15: text: it offers LATER: name it in replies too" in found[0]
    assert any(each.startswith("messages.es.toml: M15: text: {time} is not known") for each in found) is False


def test_a_message_of_the_pharmacys_own_is_said_in_every_language_by_text_and_by_voice(mended):
    found = mended(
        "messages.en.toml", '[own]\ntext = "{brand}: We are closed today."\nvoice = "We are closed today."\n'
    )
    assert found == [
        "messages.es.toml: own: text is missing: say in it what the English says",
        "messages.es.toml: own: voice is missing: say in it what the English says",
    ]


def test_a_third_language_is_one_more_file(tmp_path):
    """Every message said again, in words that triage knows; what else is English is told, and is no fault."""
    spanish = (catalog.SHIPPED / "messages.es.toml").read_text(encoding="utf-8")
    (tmp_path / "messages.pt.toml").write_text(spanish.replace('version = "1"', 'version = "1"'), encoding="utf-8")
    own = catalog.load(tmp_path)
    assert own.languages == ("en", "es", "pt")
    assert check.faults(own) == []
    assert check.notes(own) == [
        f"pt: {sum(bool(row.reply) for row in own.rules.rows.values())} answers are in English: "
        "add reply.pt to triage.toml",
        "pt: no formula for its reading grade: let somebody read it who reads little",
    ]


def test_a_third_language_that_is_incomplete_names_its_own_file(tmp_path):
    (tmp_path / "messages.fr.toml").write_text('[M02]\ntext = "{brand}: Votre commande est là. {phone}"\n')
    found = check.faults(catalog.load(tmp_path))
    assert f"{tmp_path}/messages.fr.toml: M02: voice is missing: say in it what the English says" in found
    assert (
        f"{tmp_path}/messages.fr.toml: safety.note is missing: version, page, text and voice of the safety note"
        in found
    )


# --- placeholders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        (
            "messages.en.toml",
            '[M02]\ntext = "{brand}: {patient}, your order is checked."',
            "messages.en.toml: M02: text: no such placeholder: patient",
        ),
        (
            "messages.en.toml",
            '[M02]\ntext = "{brand}: Your order is checked. We come {day}."',
            "messages.en.toml: M02: text: {day} is not known when this is said: leave it out",
        ),
        (
            "messages.es.toml",
            '[M04]\ntext = "{brand}: Su entrega es el {day}. Responda SI o CAMBIAR."',
            "messages.es.toml: M04: text: {from}, {to} is missing: the English names it",
        ),
        (
            "messages.es.toml",
            '[M06]\nvoice = "Su entrega va en camino."',
            "messages.es.toml: M06: voice: {from}, {to} is missing: the English names it",
        ),
    ],
)
def test_placeholders(mended, file, content, fault):
    assert fault in mended(file, content)


# --- letters, segments, reading grade -----------------------------------------------------------------------------


def test_the_spanish_trap_names_the_letter_and_the_word_without_it(mended):
    found = mended(
        "messages.es.toml", '[M03]\ntext = "{brand}: Mañana le llamará. ¿Esta bien? Ponga todo en el refri."'
    )
    assert one(found) == (
        'messages.es.toml: M03: text: write "llamara" for "llamará", without á, which makes a text twice as dear'
    )


def test_a_sign_that_has_no_plain_form_is_named(mended):
    found = mended("messages.en.toml", '[M03]\ntext = "{brand}: Your things are packed ✓"')
    assert one(found) == "messages.en.toml: M03: text: write it without ✓, which makes a text twice as dear"


def test_a_text_is_measured_at_its_longest(mended):
    """Short as written; two segments are not enough on a Wednesday in September, for a pharmacy with a long name."""
    words = "Your box comes soon. " * 11 + "It is {day}, {from}-{to}. Reply YES or CHANGE."
    found = mended("messages.en.toml", f'[M04]\ntext = "{{brand}}: {words}"')
    assert len(words) < 306
    assert one(found) == (
        "messages.en.toml: M04: text: 3 segments at its longest; "
        "make it shorter than 306 letters with all that it names"
    )


def test_a_text_is_measured_with_its_page(mended):
    page = "https://www.pharmko.com/" + "how-to-care-for-it-" * 12
    found = mended("links.toml", f'[en]\nline_care = "{page}"')
    assert [fault.partition(": text:")[0] for fault in found] == ["messages.en.toml: M16", "messages.es.toml: M16"]
    assert all("3 segments at its longest" in fault for fault in found)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("messages.en.toml", "Your pharmacist recommends transferring refrigerated articles to appropriate storage."),
        ("messages.es.toml", "Recomendamos transferir inmediatamente los materiales refrigerados al almacenamiento."),
    ],
)
def test_hard_words_are_graded_by_the_formula_of_their_language(mended, file, words):
    found = mended(file, f'[M03]\ntext = "{{brand}}: {words}"')
    assert f"{file}: M03: text: it reads at grade " in one(found)
    assert "shorter words and shorter sentences" in found[0]


def test_what_a_child_reads_is_easy_and_a_leaflet_is_not():
    assert grade("Your box is there. Put cold items in the fridge now.", "en") <= 2
    assert grade("Ya llego su caja. Ponga lo frio en el refri ahora.", "es-MX") <= 5
    assert grade("Discontinue administration and immediately notify your infusion provider.", "en") > 12
    assert grade("Suspenda inmediatamente la administración y notifique a su proveedor correspondiente.", "es") > 8
    assert grade("Nurse 24/7: 800-555-0100.", "en") == 0  # a label is no sentence
    assert grade("Chúng tôi sẽ gọi cho bạn.", "vi") is None


# --- what stays unsaid --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Your vancomycin is packed.", "vancomycin"),
        ("Su Inmunoglobulina esta lista.", "inmunoglobulina"),
        ("Your Zosyn comes today.", "zosyn"),
        ("Keep your PICC clean.", "picc"),
        ("Cuide su catéter.", "cateter"),
        ("How is the infection in your bone, the osteomyelitis?", "osteomyelitis"),
        ("Your TPN comes today.", "TPN"),
    ],
)
def test_no_text_names_a_drug_a_line_or_an_illness(mended, words, said):
    file = "messages.es.toml" if "su " in words.lower() else "messages.en.toml"
    assert any(
        f'{file}: M03: text: leave out "{said}": say ' in fault
        for fault in mended(file, f'[M03]\ntext = "{{brand}}: {words}"')
    )


def test_a_pharmacy_adds_its_own_names_and_keeps_ours(mended):
    (found,) = mended("unsaid.toml", '[drug]\nwords = ["supplies"]\n')[:1]
    assert 'messages.en.toml: M03: text: leave out "supplies": say your medicine' in found
    assert catalog.load().unsaid["drug"].found_in("Zosyn")


def test_numbers_and_pages_are_settings_and_not_written_out(mended):
    found = mended("messages.en.toml", '[M03]\ntext = "{brand}: Packed. Call 800-555-0199 or see https://bit.ly/x"')
    assert found == [
        'messages.en.toml: M03: text: write {phone} in place of "555-0199": the number is a setting of the site',
        'messages.en.toml: M03: text: write a page of links.toml, such as {link.contact}, in place of "https://"',
    ]


# --- what people answer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["CANCEL", "END", "QUIT", "STOP", "START", "HELP", "INFO", "YES"])
def test_a_word_that_twilio_swallows_is_offered_only_with_its_note(mended, word):
    offer = f'[M03]\ntext = "{{brand}}: Is that fine? Reply {word} or CALL."\nreplies = ["{word}", "CALL"]\n'
    assert any(f"M03: text: it offers {word}, which alone " in fault for fault in mended("messages.en.toml", offer))
    found = mended("messages.en.toml", offer + f'note = "{word} is meant so"\n')
    assert found == []


def test_a_note_about_another_word_is_no_note(mended):
    offer = '[M03]\ntext = "{brand}: Reply CANCEL or CALL."\nreplies = ["CANCEL", "CALL"]\nnote = "YES is meant so"\n'
    assert "it offers CANCEL, which alone ends our texts" in one(mended("messages.en.toml", offer))


def test_a_reply_that_nobody_understands_is_not_asked_for(mended):
    offer = '[M04]\ntext = "{brand}: {day}, {from}-{to}. Reply ZORK or CHANGE."\nreplies = ["ZORK", "CHANGE"]\n'
    assert one(mended("messages.en.toml", offer)) == (
        'messages.en.toml: M04: replies: "ZORK" is not understood as an answer to delivery_confirm: '
        "offer another word, or add it to a row of triage.toml (whole)"
    )


def test_a_key_of_the_phone_stands_for_a_word_that_is_understood(mended):
    found = mended("messages.en.toml", '[M22]\nkeys = { 1 = "ZORK", 2 = "CALL" }\n')
    assert 'messages.en.toml: M22: replies: "ZORK" is not understood' in one(found)


def test_a_question_says_what_it_expects(mended):
    found = mended("messages.en.toml", "[M04]\nreplies = []\n")
    assert (
        "messages.en.toml: M04: replies is missing: it asks for delivery_confirm, name what people will answer" in found
    )


def test_whoever_is_asked_how_they_feel_is_told_of_911(mended):
    found = mended("messages.en.toml", '[M14]\ntext = "{brand}: How are you? Reply OK or NOT OK."\n')
    assert one(found) == (
        "messages.en.toml: M14: text: whoever is asked how they feel must read {phone} and 911: add both"
    )


def test_people_know_who_writes(mended):
    found = mended("messages.en.toml", '[M03]\ntext = "Your supplies are being packed."\n')
    assert one(found) == "messages.en.toml: M03: text: begin with {brand}: people must know who writes"


# --- calls --------------------------------------------------------------------------------------------------------


def test_the_keys_of_the_phone_are_the_same_in_each_language_and_each_means_something(mended):
    found = mended("messages.es.toml", '[M22]\nvoice = "¿Cómo le va? Si todo va bien, oprima 3."\n')
    assert one(found) == "messages.es.toml: M22: keys: the voice speaks of 3: say what word it stands for"
    found = mended("messages.es.toml", '[M22]\nkeys = { 3 = "BIEN" }\n')
    assert "messages.es.toml: M22: keys: it has 1, 2, 3, the English 1, 2: the same keys in each language" in found


def test_no_call_reads_a_page_aloud(mended):
    found = mended("messages.en.toml", '[M03]\nvoice = "Your things are packed.{link.contact}"\n')
    assert one(found) == "messages.en.toml: M03: voice: nobody can follow a page on the phone: leave it out"


# --- links --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('[en]\ncontact = "http://www.pharmko.com/contact"', "links.toml: en.contact: write it with https://"),
        (
            '[en]\ncontact = "https://pharmko.com.evil.example/contact"',
            "links.toml: en.contact: it is not on pharmko.com: name a page of your own, or add to domains",
        ),
        (
            '[es]\ncontact = "https://www.pharmko.com/contact?p=412"',
            "links.toml: es.contact: leave out what follows ? or #: it could tell who was texted",
        ),
        (
            'domains = ["pharmko.com", "bit.ly"]',
            "links.toml: domains: bit.ly shortens links and carriers block it: name the pharmacy's own domain",
        ),
        (
            '[en]\nparking = "https://www.pharmko.com/parking"',
            "links.toml: en.parking: no text names such a page: one of home_infusion, first_dose_checklist, "
            "when_to_call, caregiver_checklist, line_care, contact",
        ),
    ],
)
def test_a_link_is_a_page_of_our_own(mended, content, fault):
    assert one(mended("links.toml", content)) == fault


def test_no_urgent_answer_names_a_page(mended):
    row = catalog.load().rules.rows["FEVER"].reply["en"]
    found = mended("triage.toml", f'[FEVER]\nreply.en = "{row}{{link.when_to_call}}"\n')
    assert "triage.toml: FEVER: reply.en: leave out the page: who needs help now needs a number" in found


# --- answers, the safety note, STOP -------------------------------------------------------------------------------


def test_answers_are_checked_as_messages_are(mended):
    found = mended("triage.toml", '[MISSING]\nreply.es = "{brand}: Una persona le llamará {today} al {nombre}."\n')
    assert found == [
        "triage.toml: MISSING: reply.es: no such placeholder: nombre",
        'triage.toml: MISSING: reply.es: write "llamara" for "llamará", without á, which makes a text twice as dear',
    ]


def test_the_safety_note_stands_where_it_must_word_for_word(mended):
    found = mended(
        "messages.en.toml",
        '[M01]\ntext = "{brand}: Welcome. For an emergency call 911. Reply HELP or STOP."\n'
        '["voice.opening"]\nvoice = "Hello. This is {brand}. For a nurse, press zero."\n',
    )
    assert 'messages.en.toml: M01: text: say "Not for emergencies: call 911." in it, as safety.note does' in found
    assert any("messages.en.toml: voice.opening: voice: say " in fault for fault in found)


def test_other_words_of_the_safety_note_are_another_version(mended):
    note = 'page = "Call us."\ntext = "Not for emergencies: call 911."\n'
    found = mended("messages.en.toml", f'["safety.note"]\n{note}')
    assert one(found) == "messages.en.toml: safety.note: version: other words need another version than 1"
    assert mended("messages.en.toml", f'["safety.note"]\nversion = "2"\n{note}') == []


def test_people_read_how_to_end_the_texts_on_joining_on_asking_and_each_month(mended):
    note = "Not for emergencies: call 911."
    found = mended("messages.en.toml", f'[M01]\ntext = "{{brand}}: Welcome. {note} Reply HELP for help."\n')
    assert "messages.en.toml: M01: text: say how to end the texts, such as: STOP to end" in found
    found = mended("messages.es.toml", '["M14.stop"]\ntext = "{brand}: ¿Como esta? BIEN o MAL. {phone}. 911."\n')
    assert any(fault.startswith("journeys.toml: check_in: no step says once a month") for fault in found)


def test_a_setting_that_is_not_ours_stops_the_start(tmp_path):
    (tmp_path / "messages.en.toml").write_text('[M03]\ntxt = "{brand}: Packed."\n')
    with pytest.raises(catalog.Misconfigured, match="M03: txt: no such setting; one of event"):
        catalog.load(tmp_path)
