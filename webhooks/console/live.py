"""Pages that stay true: a stream of server-sent events tells a browser that what it shows has changed.

The stream carries no data, only a token; the browser then asks for the page it is on and takes over what is new.
"""

import threading
import time
from collections.abc import Callable, Iterator
from uuid import UUID

from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from notifier import import_runs, queries, runtime
from notifier.errors import Missing
from webhooks.console import bp
from webhooks.console.door import person

EVERY = 0.8  # seconds between two looks
BEAT = 5  # looks between two signs of life, by which a browser that left is noticed
LIFE = 75  # looks; then the browser asks anew, and is checked at the door again
STREAMS = 10  # at once in one process, so that texts always find a thread; who gets none asks by itself, slower

_free = threading.BoundedSemaphore(STREAMS)


@bp.get("/live")
def stream() -> Response:
    """Events for the page named by `ticket`, `patient` or `file`, else for the board."""
    viewer = person()
    number, patient = request.args.get("ticket", type=int), request.args.get("patient", type=UUID)
    file = request.args.get("file", type=UUID)

    def token(session: Session) -> str:
        if number is not None:
            return queries.ticket_token(session, queries.ticket(session, number, viewer.sites))
        if patient is not None:
            return queries.patient_token(session, queries.patient(session, patient, viewer.sites).id)
        if file is not None:
            run = import_runs.find(session, file, viewer.staff.id)
            return f"{run.state}|{run.done}" if run else ""
        return queries.board_token(session, viewer.sites)

    if not _free.acquire(blocking=False):
        return Response(status=204)  # by the standard: do not come back
    since = request.headers.get("Last-Event-ID") or request.args.get("since", "")
    response = Response(_events(token, since), mimetype="text/event-stream")
    response.call_on_close(_free.release)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _events(token: Callable[[Session], str], since: str) -> Iterator[str]:
    yield "retry: 1000\n\n"
    for look in range(LIFE):
        try:
            with runtime.reading() as session:
                now = token(session)
        except (SQLAlchemyError, Missing):
            return  # the browser shows that it is no longer live, and comes back
        if now != since:
            since = now
            yield f"event: change\nid: {now}\ndata: {now}\n\n"
        elif look % BEAT == 0:
            yield ": alive\n\n"
        time.sleep(EVERY)
