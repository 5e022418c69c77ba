"""The safety note for everybody: one page that needs no sign-in, no database and no JavaScript."""

from flask import Blueprint, Flask, Response, jsonify, render_template, request, url_for

from notifier.catalog.messages import SafetyNote
from notifier.core.wording import best_language
from notifier.runtime import current

bp = Blueprint("safety", __name__, template_folder="templates")
NAMES = {"en": "English", "es": "Español"}  # of languages in themselves; another is called by its code


def init_app(app: Flask) -> None:
    """Let any page show the note to whoever opts in."""
    app.jinja_env.globals["safety_note"] = note


def note(language: str) -> SafetyNote:
    """The note in the best language we have."""
    known = current().catalog.safety
    return known[best_language(known, language)]


@bp.get("/safety-note")
def page() -> Response:
    """The whole note in every language, the reader's first; as JSON for a form of the pharmacy's own."""
    known = current().catalog.safety
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        notes = {language: {"version": one.version, "text": one.page} for language, one in known.items()}
        return jsonify(url=url_for("safety.page", _external=False), notes=notes)
    first = request.accept_languages.best_match(list(known), "en")
    ordered = sorted(known, key=lambda language: (language != first, language))
    words = render_template("safety/note.html", notes={language: known[language] for language in ordered}, names=NAMES)
    response = Response(words)
    response.headers["Content-Language"] = first
    response.headers["Vary"] = "Accept, Accept-Language"
    return response
