"""The coordinators' and nurses' console: pages drawn by the server, made live by one small script."""

from pathlib import Path

from flask import Blueprint, Flask, request
from flask_babel import Babel, get_locale
from flask_wtf.csrf import CSRFProtect

from webhooks.console import telling, words

bp = Blueprint("console", __name__, static_folder="static", static_url_path="/static", template_folder="templates")
csrf = CSRFProtect()
babel = Babel()
TRANSLATIONS = Path(__file__).with_name("translations")


def init_app(app: Flask) -> None:
    """Give the app what the console needs of it: who is signed in, form tokens, words for times and phones."""
    csrf.init_app(app)
    door.manager.init_app(app, add_context_processor=False)  # an error page must not ask the database who looks
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    babel.init_app(app, locale_selector=door.locale)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["get_locale"] = get_locale
    app.jinja_env.filters.update(words.FILTERS, told=telling.told)


@bp.before_request
def guard_forms() -> None:
    """Nothing is changed but by a form that this console drew for this browser."""
    if request.method == "POST":
        csrf.protect()


# Each registers its pages on `bp`.
from webhooks.console import (  # noqa: E402
    account,
    board,
    care_events,
    catalogue,
    covers,
    door,
    enrol,
    handover,
    imports,
    live,
    outbox,
    patients,
    plan,
    recording,
    rehearse,
    reporting,
    roster,
    ticket,
)

__all__ = [
    "account",
    "board",
    "bp",
    "care_events",
    "catalogue",
    "covers",
    "csrf",
    "door",
    "enrol",
    "handover",
    "imports",
    "init_app",
    "live",
    "outbox",
    "patients",
    "plan",
    "recording",
    "rehearse",
    "reporting",
    "roster",
    "ticket",
]
