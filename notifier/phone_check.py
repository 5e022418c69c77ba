"""A staff member's phone must ring: a test page with a code, and the code given back, prove that pages arrive."""

import hmac
import secrets
import uuid
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal
from notifier.core.vocabulary import Channel
from notifier.errors import Refused
from notifier.models import Message, Site, Staff
from notifier.sealing import lookup

LIVES = timedelta(minutes=15)


def send_test_page(session: Session, staff: Staff, *, now: datetime) -> None:
    """Page this person's phone as a ticket would, with a code to give back. Raises Refused: no phone, no site."""
    if staff.phone is None or staff.phone_hash is None:
        raise Refused("You have no phone here: it comes from pharmacy.toml.")
    sites = select(Site).where(Site.key.in_(staff.sites)) if staff.sites else select(Site)
    site = session.scalars(sites.order_by(Site.key).limit(1)).first()
    if site is None:
        raise Refused("There is no site to page from yet.")
    if staff.phone_code_until is not None and staff.phone_code_until > now + LIVES - timedelta(minutes=1):
        raise Refused("A test page has just left: wait a minute.")
    code = f"{secrets.randbelow(1_000_000):06}"
    staff.phone_code, staff.phone_code_until = lookup(f"{staff.id}:{code}"), now + LIVES
    session.add(
        Message(
            key=f"testpage:{uuid.uuid4()}",
            site_key=site.key,
            staff_id=staff.id,
            to=staff.phone,
            to_hash=staff.phone_hash,
            channel=Channel.SMS,
            template="verbatim",
            language="en",
            values={
                "text": f"{site.brand}: test page, nobody needs you. Your code is {code}. Give it under My account."
            },
            urgent=True,
            any_hour=True,
            due_at=now,
            not_after=now + LIVES,
            created_at=now,
        )
    )
    journal.note(session, staff, "staff.test_page", now=now, by=staff.name)


def confirm(session: Session, staff: Staff, code: str, *, now: datetime) -> bool:
    """The code of the test page: this phone rings. False: it is another, or too old. A code is tried once."""
    expected, until = staff.phone_code, staff.phone_code_until
    staff.phone_code = None
    right = expected is not None and hmac.compare_digest(expected, lookup(f"{staff.id}:{code.strip()}"))
    if not right or until is None or until < now:
        return False
    staff.phone_verified_at = now
    journal.note(session, staff, "staff.phone_verified", now=now, by=staff.name)
    return True
