"""The console's words in the language of who reads them."""

from flask_babel import gettext


def _(text: str, **values: object) -> str:
    """The text in this browser's language, its %(name)s filled in."""
    return str(gettext(text, **values))
