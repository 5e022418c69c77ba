"""Messages that callers leave after the tone: told of three times by Twilio, in any order, and kept once."""

import re
from uuid import UUID

from flask import Response, request

from jobs.queue import BULK, ring
from notifier import clock, voicemail
from notifier.models import Recording
from notifier.runtime import current, transaction
from webhooks.twilio import bp, twiml
from webhooks.twilio.conversation import Line, line_of
from webhooks.twilio.speech import comes_in_words

SID = re.compile(r"RE[0-9a-f]{32}")


@bp.post("/voice/calls/<uuid:call_id>/recorded")
def recorded(call_id: UUID) -> Response:
    """They have left a message, and may still be on the line."""
    with transaction() as session:
        line = line_of(session, call_id)
        _left(line)
        said = line.end("voice.recorded")
    _ring()
    return twiml(said)


@bp.post("/voice/calls/<uuid:call_id>/recording")
def recording(call_id: UUID) -> tuple[str, int]:
    """The recording is ready to be fetched; one of silence is none."""
    if request.form.get("RecordingStatus", "completed") == "completed":
        with transaction() as session:
            _left(line_of(session, call_id))
        _ring()
    return "", 204


@bp.post("/voice/calls/<uuid:call_id>/transcribed")
def transcribed(call_id: UUID) -> tuple[str, int]:
    """What was said, in words: it is read as a text would be. Without words a nurse listens."""
    words = request.form.get("TranscriptionText", "").strip()
    inbound_id = None
    with transaction() as session:
        row = _left(line_of(session, call_id))
        if row is not None and words and request.form.get("TranscriptionStatus") == "completed":
            inbound_id = voicemail.transcribed(session, row, words, now=clock.now())
        elif row is not None:
            voicemail.no_words(session, row, catalog=current().catalog, now=clock.now())
    _ring()
    if inbound_id:
        ring("attend", str(inbound_id))
    return "", 204


def _left(line: Line) -> Recording | None:
    sid, seconds = request.form.get("RecordingSid", ""), request.form.get("RecordingDuration", "0")
    if not SID.fullmatch(sid):
        return None
    return voicemail.left(
        line.session,
        line.call,
        sid,
        int(seconds) if seconds.isdigit() else 0,
        in_words=comes_in_words(line.call.language),
        catalog=current().catalog,
        now=clock.now(),
        real_now=clock.real(),
    )


def _ring() -> None:
    ring("dispatch")
    ring("look_after_calls", queue=BULK)
