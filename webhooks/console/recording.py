"""A message that was left on the phone, played to whoever is signed in and may hear it; that it was, is journalled."""

from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from uuid import UUID

from flask import Response, abort, send_file

from notifier import clock, runtime, voicemail
from notifier.models import Ticket
from webhooks.console import bp
from webhooks.console.door import person
from webhooks.console.drawing import may_read

SITTING = timedelta(minutes=10)  # within this, playing it again is the same listening


@bp.get("/recordings/<uuid:recording_id>")
def recording(recording_id: UUID) -> Response:
    """Its sound, in whole or in the part that the browser asks for."""
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        row, sound = voicemail.play(session, recording_id)
        ticket = session.get(Ticket, row.ticket_id) if row.ticket_id else None
        if ticket is None or (viewer.sites and ticket.site_key not in viewer.sites):
            abort(HTTPStatus.NOT_FOUND)
        if not may_read(viewer, ticket.kinds):
            abort(HTTPStatus.FORBIDDEN)
    with runtime.transaction() as session:
        voicemail.played(session, recording_id, viewer.name, since=now - SITTING, now=now)
    return send_file(BytesIO(sound), mimetype="audio/wav", download_name="message.wav", conditional=True)
