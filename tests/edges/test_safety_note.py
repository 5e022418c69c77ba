"""What every patient is told of what we are not: one text, the same wherever it is shown."""

from html import unescape

from notifier import catalog
from notifier.core.vocabulary import Channel
from tests.clinic import OUR_NUMBER

GUIDE = (
    "This content is for education only and does not replace medical advice. Always follow your provider’s "
    "instructions, and contact your care team if anything feels unclear."
)
NOTES = catalog.load().safety


def test_the_page_is_open_to_everybody_in_both_languages_the_readers_own_first(clinic):
    visitor = clinic.world.app.test_client()
    page = visitor.get("/safety-note", headers={"Accept-Language": "es-MX,es;q=0.9"})
    text = unescape(page.text)
    assert page.status_code == 200
    assert '<html lang="es">' in text
    assert GUIDE in text
    assert NOTES["es"].page in text
    assert text.index(NOTES["es"].page) < text.index(GUIDE)
    english = unescape(visitor.get("/safety-note").text)
    assert english.index(GUIDE) < english.index(NOTES["es"].page)


def test_a_form_of_the_pharmacys_own_fetches_it_with_its_version(clinic):
    answer = clinic.world.app.test_client().get("/safety-note", headers={"Accept": "application/json"}).json
    assert answer["notes"]["en"] == {"version": NOTES["en"].version, "text": GUIDE}
    assert set(answer["notes"]) == {"en", "es"}


def test_whoever_reads_how_to_enrol_reads_the_note(clinic):
    docs = unescape(clinic.world.app.test_client().get("/api/v1/docs").text)
    assert f"version {NOTES['en'].version}: “{GUIDE}”" in docs
    assert 'href="/safety-note"' in docs
    assert "/safety-note" in clinic.world.app.test_client().get("/api/v1/openapi.json").json["info"]["description"]


def test_a_patient_reads_it_on_joining_and_on_asking_and_hears_it_on_every_call(clinic):
    ivy = clinic.patient("Ivy")
    assert NOTES["en"].short in ivy.last
    ivy.texts("HELP")
    assert NOTES["en"].short in ivy.last
    said = catalog.load().render("voice.opening", "en", Channel.VOICE, {"brand": "Pharmko", "phone": OUR_NUMBER})
    assert NOTES["en"].spoken in said
