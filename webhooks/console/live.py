"""Pages that stay true: a stream of server-sent events tells a browser that what it shows has changed.

The stream carries no data, only a token; the browser then asks for the page it is on and takes over what is new.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from uuid import UUID

from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from notifier import clock, import_runs, presence, queries, runtime
from notifier.errors import Missing
from webhooks.console import bp
from webhooks.console.door import Person, person
from webhooks.console.lately import Lately

EVERY = 0.5  # seconds between two looks; with what is shared a change is told within one
BEAT = 8  # looks between two signs of life, by which a browser that left is noticed
HERE = 40  # looks between two words that somebody still has a ticket open
LIFE = 120  # looks; then the browser asks anew, and is checked at the door again
STREAMS = 30  # at once in one process, so that texts always find a thread; who gets none asks by itself, slower

SHARED = 0.4  # seconds for which one look serves everybody

_free = threading.BoundedSemaphore(STREAMS)
_leaving = threading.Event()
Look = Callable[[Session], str]
_looks = Lately[str](SHARED)


@bp.get("/live")
def stream() -> Response:
    """Events for the page named by `ticket`, `patient` or `file`, else for the board. With `once`: its token now."""
    viewer = person()
    what, look = _looked_at(viewer)
    if "once" in request.args:
        return Response(_token(what, look), mimetype="text/plain")
    if not _free.acquire(blocking=False):
        return Response(status=204)  # by the standard: do not come back
    since = request.headers.get("Last-Event-ID") or request.args.get("since", "")
    number, me = request.args.get("ticket", type=int), viewer.staff.id
    response = Response(_events(what, look, since, lambda: _is_here(number, me)), mimetype="text/event-stream")
    response.call_on_close(_free.release)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _token(what: Hashable, look: Look) -> str:
    """The token of a page, no older than the time between two looks. Raises what `look` raises."""

    def anew() -> str:
        with runtime.reading() as session:
            return look(session)

    return _looks.get(what, anew)


def _looked_at(viewer: Person) -> tuple[Hashable, Look]:
    """What a page shows, by a name that is the same for all who may see the same, and how it is looked at."""
    number, patient = request.args.get("ticket", type=int), request.args.get("patient", type=UUID)
    file, sites = request.args.get("file", type=UUID), viewer.sites

    def look(session: Session) -> str:
        if number is not None:
            ticket = queries.ticket(session, number, sites)
            here = presence.others(session, ticket.id, None, real_now=clock.real())
            return f"{queries.ticket_token(session, ticket)}|{len(here)}"
        if patient is not None:
            return queries.patient_token(session, queries.patient(session, patient, sites).id)
        if file is not None:
            run = import_runs.find(session, file, viewer.staff.id)
            return f"{run.state}|{run.done}" if run else ""
        return queries.board_token(session, sites)

    return (number, patient, file, viewer.staff.id if file else None, sites), look


def _is_here(number: int | None, me: UUID) -> None:
    """Somebody still has this ticket open."""
    if number is not None:
        with runtime.transaction() as session:
            ticket_id = queries.ticket(session, number).id
            presence.saw(session, ticket_id, me, now=clock.now(), real_now=clock.real())


def _events(what: Hashable, look: Look, since: str, is_here: Callable[[], None]) -> Iterator[str]:
    yield "retry: 1000\n\n"
    for turn in range(LIFE):
        try:
            if turn % HERE == 0:
                is_here()
            now = _token(what, look)
        except (SQLAlchemyError, Missing):
            return  # the browser shows that it is no longer live, and comes back
        if now != since:
            since = now
            yield f"event: change\nid: {now}\ndata: {now}\n\n"
        elif turn % BEAT == 0:
            yield ": alive\n\n"
        if _leaving.wait(EVERY):
            return


def end_streams(patience: float = 5.0) -> bool:
    """End every stream of this process, and wait until none holds a connection. False: one did not end in time."""
    _leaving.set()
    end = time.monotonic() + patience
    held = [_free.acquire(timeout=max(0.01, end - time.monotonic())) for _ in range(STREAMS)]
    for _ in filter(None, held):
        _free.release()
    _leaving.clear()
    return all(held)
