"""Status callbacks: what became of a text or a call. Late, doubled and disordered ones are harmless."""

from uuid import UUID

from flask import request

from jobs.queue import ring
from notifier import clock, sending
from notifier.runtime import current, transaction
from webhooks.twilio import bp


@bp.post("/status/<uuid:attempt_id>")
def status(attempt_id: UUID) -> tuple[str, int]:
    """One callback for one attempt."""
    form = request.form
    word = form.get("MessageStatus") or form.get("CallStatus") or ""
    code = form.get("ErrorCode", "")
    with transaction() as session:
        sending.record_receipt(
            session,
            attempt_id,
            sid=form.get("MessageSid") or form.get("CallSid") or "",
            status=word,
            error_code=int(code) if code.isdigit() and int(code) else None,
            answered_by=form.get("AnsweredBy"),
            catalog=current().catalog,
            now=clock.now(),
        )
    if word in sending.DID_NOT_ARRIVE:
        ring("dispatch")
    return "", 204
