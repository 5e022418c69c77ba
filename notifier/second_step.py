"""The second step at the door: six digits from an app (TOTP, RFC 6238), or a recovery code that opens once."""

import base64
import hashlib
import re
import secrets
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from notifier import journal
from notifier.errors import Refused
from notifier.models import RecoveryCode, Staff

STEP = 30  # seconds
DIGITS = 6
EARLY_OR_LATE = (0, -1, 1)  # a phone's clock may be a step off
CODES = 10
ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"  # nothing that is read as something else
ISSUER = "notifier"


def draw_secret(session: Session, staff: Staff) -> str:
    """A secret to be put into an app, in base32; it counts once `turn_on` has seen a code of it."""
    if staff.totp_since is not None:
        raise Refused("The second step is on already: turn it off first.")
    if staff.totp_secret is None:
        staff.totp_secret = base64.b32encode(secrets.token_bytes(20)).decode()
        session.flush()
    return staff.totp_secret


def address(staff: Staff) -> str:
    """What an app reads from the square: the secret under the person's e-mail."""
    label = quote(f"{ISSUER}:{staff.email or staff.key}")
    return f"otpauth://totp/{label}?secret={staff.totp_secret}&issuer={ISSUER}&digits={DIGITS}&period={STEP}"


def turn_on(session: Session, staff: Staff, code: str, *, now: datetime) -> list[str]:
    """From now on the door asks for a code; returns the recovery codes, told this once. Raises Refused."""
    if staff.totp_since is not None:
        raise Refused("The second step is on already.")
    if not _spend(session, staff, code, now):
        raise Refused("These are not the six digits that the app shows now.")
    staff.totp_since = now
    journal.note(session, staff, "staff.second_step_on", now=now, by=staff.name)
    return draw_codes(session, staff, now=now)


def turn_off(session: Session, staff: Staff, *, now: datetime, by: str) -> None:
    """The password alone opens again, and every recovery code is void."""
    staff.totp_secret = staff.totp_since = staff.totp_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    journal.note(session, staff, "staff.second_step_off", now=now, by=by)


def draw_codes(session: Session, staff: Staff, *, now: datetime) -> list[str]:
    """Ten new recovery codes; those drawn before are void."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    codes = ["-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3)) for _ in range(CODES)]
    session.add_all(RecoveryCode(staff_id=staff.id, code_hash=_digest(code)) for code in codes)
    journal.note(session, staff, "staff.recovery_codes", now=now, by=staff.name)
    return codes


def codes_left(session: Session, staff_id: UUID) -> int:
    """How many recovery codes still open the door."""
    unused = (RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused)) or 0


def passes(session: Session, staff: Staff, code: str, *, now: datetime) -> bool:
    """Whether this code, of the app or for recovery, opens the door now. Each does so once."""
    if _spend(session, staff, code, now):
        return True
    used = session.scalars(
        update(RecoveryCode)
        .where(
            RecoveryCode.staff_id == staff.id,
            RecoveryCode.code_hash == _digest(code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
    ).first()
    if used is not None:
        journal.note(session, staff, "staff.recovery_code_used", now=now, by=staff.name)
    return used is not None


def _spend(session: Session, staff: Staff, code: str, now: datetime) -> bool:
    """Take the app's code and remember its step, so that whoever saw it cannot use it again."""
    digits = re.sub(r"\s", "", code)
    if staff.totp_secret is None or not re.fullmatch(r"\d{6}", digits, re.ASCII):
        return False
    totp = TOTP(base64.b32decode(staff.totp_secret), DIGITS, SHA1(), STEP)  # noqa: S303  RFC 6238, as apps know it
    instant = int(now.timestamp())
    for early_or_late in EARLY_OR_LATE:
        at = instant + early_or_late * STEP
        try:
            totp.verify(digits.encode(), at)
        except InvalidToken:
            continue
        # Of two who bring the same code at once, the ledger lets one in.
        taken = session.scalars(
            update(Staff)
            .where(Staff.id == staff.id, or_(Staff.totp_step.is_(None), Staff.totp_step < at // STEP))
            .values(totp_step=at // STEP)
            .returning(Staff.id)
            .execution_options(synchronize_session=False)
        ).first()
        session.refresh(staff, ["totp_step"])
        return taken is not None
    return False


def _digest(code: str) -> str:
    # 59 random bits behind a door that counts tries need no slow hash.
    return hashlib.sha256(re.sub(r"[^a-z0-9]", "", code.lower()).encode()).hexdigest()
