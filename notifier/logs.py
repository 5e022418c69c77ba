"""Logs: one line an event, with ids and never a name, a number or a text."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure(log_format: str) -> None:
    """Log to stderr as JSON lines or as text; libraries that print what they handle are held at WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(FIELDS) if log_format == "json" else logging.Formatter(FIELDS))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in ("twilio", "rq", "urllib3", "alembic", "werkzeug", "gunicorn.access", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.WARNING)
