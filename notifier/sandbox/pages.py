"""The pocket phone's page: drawn here in full, and told by a stream of events when to look again."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, render_template, request
from markupsafe import Markup, escape

from notifier.sandbox import desk, numbering
from notifier.sandbox.records import Mode

if TYPE_CHECKING:
    from notifier.sandbox.sandbox import Sandbox

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STATIC = {
    "console.css": ("webhooks", "console/static", "text/css"),  # the product's one look
    "favicon.svg": ("webhooks", "console/static", "image/svg+xml"),
    "phone.css": ("notifier.sandbox", "static", "text/css"),
    "phone.js": ("notifier.sandbox", "static", "text/javascript"),
}
LETTERS = ("", "ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ", "", "+", "")
KEYS = tuple(zip("123456789*0#", LETTERS, strict=True))
HEARTBEAT = 15.0
AT_MOST_EVERY = 0.1

_telephone = re.compile(r"\b(?:1-)?\d{3}-\d{3}-\d{4}\b")


def pages(sandbox: "Sandbox") -> Blueprint:
    """The page of this sandbox, its style, its script and its stream."""
    bp = Blueprint("pages", __name__, template_folder="templates")

    @bp.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @bp.get("/")
    def page() -> str:
        return render_template(
            "desk.html",
            desk=desk.lay_out(sandbox.book, numbering.e164(request.args.get("phone", ""))),
            console=sandbox.public_base_url,
            modes=list(Mode),
            keys=KEYS,
            time_of=desk.time_of,
            day_of=desk.day_of,
            elapsed=sandbox.switchboard.elapsed,
            keep_numbers_whole=keep_numbers_whole,
        )

    @bp.get("/static/<name>")
    def static(name: str) -> Response:
        if name not in STATIC:
            abort(404)
        package, folder, kind = STATIC[name]
        content = (files(package) / folder / name).read_bytes()
        return Response(content, mimetype=kind, headers={"Cache-Control": "no-cache"})

    @bp.get("/sandbox/events")
    def events() -> Response:
        return Response(_news(sandbox), mimetype="text/event-stream")

    return bp


def keep_numbers_whole(words: str) -> Markup:
    """The words with every telephone number in a span, so that no line breaks inside one."""
    parts, end = [], 0
    for found in _telephone.finditer(words):
        parts += [escape(words[end : found.start()]), Markup('<span class="tel">{}</span>').format(found[0])]
        end = found.end()
    return Markup("").join([*parts, escape(words[end:])])


def _news(sandbox: "Sandbox") -> Iterator[str]:
    """A line each time something has changed, and a sign of life in between."""
    book, seen = sandbox.book, -1
    yield "retry: 1000\n\n"
    while not sandbox.stopping.is_set():
        with book.changed:
            if book.version == seen:
                book.changed.wait(HEARTBEAT)
            is_new, seen = book.version != seen, book.version
        yield f"data: {seen}\n\n" if is_new else ": still here\n\n"
        sandbox.stopping.wait(AT_MOST_EVERY)
