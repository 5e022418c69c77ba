"""Calls made under an Idempotency-Key: the books that answer a repeated call as the first one was answered."""

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.errors import Invalid, Refused
from notifier.models import IdempotentCall
from notifier.sealing import lookup


def begin(session: Session, token_id: UUID, key: str, request: str, *, now: datetime) -> IdempotentCall:
    """The line in the books for this call. With a status: it was answered before, and this is the answer.

    The line lives and dies with the caller's transaction, so a call that changed nothing leaves its key free.
    Raises Refused while the first such call is at work, Invalid when the key stood for another request.
    """
    _only_one_at_a_time(session, token_id, key)
    request_hash = lookup(request)  # keyed, because a request holds names and phones
    wanted = select(IdempotentCall).where(IdempotentCall.token_id == token_id, IdempotentCall.key == key)
    call = session.scalars(wanted).one_or_none()
    if call is None:
        call = IdempotentCall(token_id=token_id, key=key, request_hash=request_hash, created_at=now)
        session.add(call)
        session.flush()
    elif call.request_hash != request_hash:
        raise Invalid({"Idempotency-Key": "was used before, for another request"})
    return call


def _only_one_at_a_time(session: Session, token_id: UUID, key: str) -> None:
    # SQLite has one writer at a time: there the second call waits for the first and then reads its answer.
    if session.get_bind().dialect.name != "postgresql":
        return
    digest = hashlib.sha256(f"{token_id}:{key}".encode()).digest()
    lock = int.from_bytes(digest[:8], "big", signed=True)
    if not session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        raise Refused("A call with this Idempotency-Key is still at work; ask again in a second.")


def finish(call: IdempotentCall, status: int, response: str) -> None:
    """Keep the answer, sealed; it becomes true with the commit of what it tells."""
    call.status = status
    call.response = response
