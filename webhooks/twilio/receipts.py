"""Status callbacks: what became of a text or a call. Late, doubled and disordered ones are harmless."""

import time
from uuid import UUID

from flask import request

from jobs.queue import BULK, ring
from notifier import clock
from notifier.runtime import transaction
from notifier.sending import receipts
from webhooks.twilio import bp

RING_AGAIN = 0.25  # seconds; one ring serves all that came since
_rung_at = float("-inf")


@bp.post("/status/<uuid:attempt_id>")
def status(attempt_id: UUID) -> tuple[str, int]:
    """One callback for one attempt: written down, and settled by a worker."""
    form = request.form
    code = form.get("ErrorCode", "")
    with transaction() as session:
        receipts.keep(
            session,
            attempt_id,
            sid=(form.get("MessageSid") or form.get("CallSid") or "")[:40],
            status=(form.get("MessageStatus") or form.get("CallStatus") or "")[:24],
            error_code=int(code) if code.isdigit() and int(code) else None,
            answered_by=(form.get("AnsweredBy") or "")[:24] or None,
            now=clock.now(),
            real_now=clock.real(),
        )
    _ring()
    return "", 204


def _ring() -> None:
    global _rung_at
    if time.monotonic() - _rung_at >= RING_AGAIN:
        _rung_at = time.monotonic()
        ring("settle_receipts", queue=BULK)
