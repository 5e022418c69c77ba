"""Who may do what: passwords, signed-in browsers, API tokens, and the one table of what each role may read."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Protocol
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal
from notifier.core.vocabulary import Role, Scope
from notifier.errors import Invalid
from notifier.models import ApiToken, ConsoleSession, Patient, Staff, Ticket
from notifier.sealing import lookup

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=14)  # a shift and its hand-over
LONGEST_WAIT = timedelta(minutes=5)  # between the password and the code
SEEN_EVERY = timedelta(minutes=1)  # how finely a session's last use is kept
SHORTEST_PASSWORD = 8
TOKEN_PREFIX = "ntf_"  # noqa: S105  a prefix, so that scanners recognise a leaked token

_hasher = PasswordHasher()


class Right(StrEnum):
    """What a role may do in the console beside working the tickets that it may read."""

    CLINICAL = "clinical"  # read what patients write about their health, and their therapy
    ROSTER = "roster"  # plan who covers whom
    CARE = "care"  # enrol patients; change people, consents and plans
    DELIVERIES = "deliveries"  # set and move deliveries
    IMPORT = "import"  # load a file of patients
    REPORTS = "reports"  # see what was achieved, and the accreditation pack
    PEOPLE = "people"  # end a colleague's sessions, and take a lost second step away


_CARES = frozenset({Right.CLINICAL, Right.CARE, Right.DELIVERIES})

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.NURSE: _CARES,
    Role.PHARMACIST: _CARES,
    Role.COORDINATOR: _CARES | {Right.ROSTER, Right.IMPORT, Right.REPORTS},
    Role.SUPERVISOR: _CARES | {Right.ROSTER, Right.IMPORT, Right.REPORTS, Right.PEOPLE},
    Role.ADMIN: frozenset(Right),
    Role.DELIVERY: frozenset({Right.DELIVERIES}),
    Role.BILLING: frozenset(),
}


OPEN_TO_ALL = (Role.DELIVERY, Role.BILLING)


def may(roles: Iterable[str], right: Right) -> bool:
    """Whether one of these roles carries the right."""
    return any(right in RIGHTS[Role(role)] for role in roles)


class TriageRow(Protocol):
    """What must be known of a kind of report: the team that acts on it."""

    @property
    def role(self) -> Role | None:
        """The team; None: nobody."""


def may_read(roles: Iterable[str], kinds: Iterable[str], rows: Mapping[str, TriageRow]) -> bool:
    """Whether one of these roles may read words that tell of these kinds.

    Without the right to clinical text: only what concerns deliveries and bills alone. A kind without a row is the
    service's own and holds no patient's words.
    """
    return may(roles, Right.CLINICAL) or all(kind not in rows or rows[kind].role in OPEN_TO_ALL for kind in kinds)


def viewed(session: Session, row: Patient | Ticket, by: str, *, now: datetime) -> None:
    """Write down that this person read about a patient."""
    journal.note(session, row, f"{row.__tablename__}.viewed", now=now, by=by)


# --- people and passwords -----------------------------------------------------------------------------------------


def create_user(session: Session, email: str, role: Role, password: str, *, now: datetime) -> Staff:
    """Let this person sign in, with this role beside those they have. Raises Invalid."""
    email = email.strip()
    if "@" not in email.strip("@"):
        raise Invalid({"email": "must be an address such as nora@example.com"})
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid({"password": f"must have {SHORTEST_PASSWORD} characters or more"})
    staff = by_email(session, email)
    if staff is None:
        staff = Staff(
            key=f"user-{_email_hash(email)[:12]}",
            name=email.split("@")[0].replace(".", " ").title(),
            email=email,
            email_hash=_email_hash(email),
            roles=[],
        )
        session.add(staff)
    if role not in staff.roles:
        staff.roles = [*staff.roles, role.value]
    staff.password_hash = _hasher.hash(password)
    staff.active = True
    session.flush()
    journal.note(session, staff, "staff.password_set", now=now, by=journal.SYSTEM)
    return staff


def check_password(session: Session, email: str, password: str) -> Staff | None:
    """The person whose e-mail and password these are; None: nobody, after the same work."""
    staff = by_email(session, email)
    known = staff is not None and staff.active and staff.password_hash
    if not _verify(known or _nobodys_hash(), password) or staff is None or not known:
        return None
    if _hasher.check_needs_rehash(known):
        staff.password_hash = _hasher.hash(password)
    return staff


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    """A hash that nobody's password has: an unknown e-mail costs the same time as a wrong password."""
    return _hasher.hash(secrets.token_hex(16))


def by_email(session: Session, email: str) -> Staff | None:
    """The person with this e-mail, in whatever case it is typed."""
    return session.scalars(select(Staff).where(Staff.email_hash == _email_hash(email))).one_or_none()


def _email_hash(email: str) -> str:
    return lookup(email.strip().lower())


# --- signed-in browsers -------------------------------------------------------------------------------------------


def sign_in(session: Session, staff: Staff, browser: str = "", *, now: datetime) -> ConsoleSession:
    """A new session for this person's browser; `now` is real time, as for all of a session's life.

    It opens nothing yet for who has a second step: see `let_in`.
    """
    row = ConsoleSession(
        staff_id=staff.id, created_at=now, seen_at=now, browser=browser, waits=staff.totp_since is not None
    )
    session.add(row)
    session.flush()
    if not row.waits:
        journal.note(session, row, "console_session.began", now=now, by=staff.name)
    return row


def waiting(session: Session, session_id: UUID, *, now: datetime) -> tuple[ConsoleSession, Staff] | None:
    """The session that waits for its code, and whose it is; None: there is none, or it waited too long."""
    row = session.get(ConsoleSession, session_id)
    if row is None or not row.waits or row.ended_at or now - row.created_at > LONGEST_WAIT:
        return None
    staff = session.get(Staff, row.staff_id)
    return (row, staff) if staff is not None and staff.active else None


def let_in(session: Session, row: ConsoleSession, staff: Staff, *, now: datetime) -> None:
    """The second step was taken: the session opens."""
    row.waits, row.seen_at = False, now
    journal.note(session, row, "console_session.began", now=now, by=staff.name)


def signed_in(session: Session, session_id: UUID, *, now: datetime) -> tuple[Staff, bool] | None:
    """Who is signed in here, and whether `seen` should be told; None: nobody, or idle for too long."""
    row = session.get(ConsoleSession, session_id)
    if row is None or row.waits or not _lives(row, now):
        return None
    staff = session.get(Staff, row.staff_id)
    if staff is None or not staff.active:
        return None
    return staff, now - row.seen_at > SEEN_EVERY


def _lives(row: ConsoleSession, now: datetime) -> bool:
    return row.ended_at is None and now - row.seen_at <= IDLE and now - row.created_at <= LONGEST


def sessions_of(session: Session, staff_id: UUID, *, now: datetime) -> list[ConsoleSession]:
    """The browsers in which somebody is signed in, the last used first."""
    found = select(ConsoleSession).where(
        ConsoleSession.staff_id == staff_id,
        ConsoleSession.ended_at.is_(None),
        ConsoleSession.waits.is_(False),
        ConsoleSession.seen_at >= now - IDLE,
    )
    return [row for row in session.scalars(found.order_by(ConsoleSession.seen_at.desc())) if _lives(row, now)]


def seen(session: Session, session_id: UUID, *, now: datetime) -> None:
    """This session was used just now."""
    row = session.get(ConsoleSession, session_id)
    if row is not None:
        row.seen_at = now


def sign_out(session: Session, session_id: UUID, *, now: datetime) -> None:
    """End this session at once, wherever its cookie is."""
    row = session.get(ConsoleSession, session_id)
    if row is not None and row.ended_at is None:
        row.ended_at = now


def sign_out_everywhere(session: Session, staff: Staff, *, now: datetime, by: str, but: UUID | None = None) -> int:
    """End every session of somebody, save one. Returns how many there were."""
    found = [row for row in sessions_of(session, staff.id, now=now) if row.id != but]
    for row in found:
        row.ended_at = now
    if found:
        journal.note(session, staff, "staff.signed_out", now=now, by=by, detail=f"{len(found)} sessions")
    return len(found)


def change_password(session: Session, staff: Staff, old: str, new: str, *, now: datetime) -> None:
    """Another password. Raises Invalid."""
    if not _verify(staff.password_hash or _nobodys_hash(), old):
        raise Invalid({"old": "This is not your password."})
    if len(new) < SHORTEST_PASSWORD:
        raise Invalid({"new": f"{SHORTEST_PASSWORD} characters or more."})
    staff.password_hash = _hasher.hash(new)
    journal.note(session, staff, "staff.password_set", now=now, by=staff.name)


# --- other systems ------------------------------------------------------------------------------------------------


def create_token(session: Session, name: str, scopes: Sequence[Scope], *, now: datetime) -> str:
    """A new token for another system, to be shown once: only its hash is kept. Raises Invalid."""
    if not scopes:
        raise Invalid({"scope": "must be one or more of read, write, tickets, admin"})
    if not name.strip():
        raise Invalid({"name": "must say which system this is for"})
    if session.scalars(select(ApiToken).where(ApiToken.name == name)).first():
        raise Invalid({"name": "is taken by another token"})
    presented = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(name=name, scopes=[scope.value for scope in scopes], token_hash=_digest(presented), created_at=now)
    session.add(row)
    session.flush()
    journal.note(session, row, "api_token.created", now=now, by=journal.SYSTEM)
    return presented


def token(session: Session, presented: str) -> ApiToken | None:
    """The token that was presented, unless it is unknown or revoked."""
    found = select(ApiToken).where(ApiToken.token_hash == _digest(presented), ApiToken.revoked_at.is_(None))
    return session.scalars(found).one_or_none()


def _digest(presented: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(presented.encode()).hexdigest()
