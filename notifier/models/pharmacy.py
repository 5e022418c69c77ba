"""The pharmacy: its sites, its people, who is on call."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from notifier.core.vocabulary import (
    Pages,
    Role,
    Urgency,
)
from notifier.db import Base, Instant, Sealed
from notifier.models.columns import key, word


class Site(Base):
    """A pharmacy's branch: the numbers it sends from and what patients are told to call."""

    __tablename__ = "site"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    brand: Mapped[str] = mapped_column(String(60))  # the sender's name at the start of each text
    timezone: Mapped[str] = mapped_column(String(64))
    sms_from: Mapped[str | None] = mapped_column(String(34))
    messaging_service: Mapped[str | None] = mapped_column(String(34))
    voice_from: Mapped[str | None] = mapped_column(String(34))
    phone: Mapped[str] = mapped_column(String(34))  # the 24/7 number that patients are told
    languages: Mapped[list[str]] = mapped_column(JSON)
    quiet_hours: Mapped[str] = mapped_column(String(11), default="20:00-08:00")
    sender_rate: Mapped[float] = mapped_column(default=1.0)  # segments a second
    call_rate: Mapped[float] = mapped_column(default=1.0)  # calls a second
    business_hours: Mapped[str | None] = mapped_column(String(11))  # "08:00-17:00": when the office works
    business_days: Mapped[list[str]] = mapped_column(JSON, default=list)  # empty: Monday to Friday
    holidays: Mapped[str] = mapped_column(String(12), default="")  # "US", "US-OR": whose public holidays rest


class Staff(Base):
    """A person who works here: signs in, is paged, owns tickets. The last resort is one too, without roles."""

    __tablename__ = "staff"
    __table_args__ = (Index("staff_by_second_phone", "second_phone_hash", unique=True),)

    id: Mapped[uuid.UUID] = key()
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(Sealed)
    email: Mapped[str | None] = mapped_column(Sealed)
    email_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    phone: Mapped[str | None] = mapped_column(Sealed)
    phone_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    roles: Mapped[list[str]] = mapped_column(JSON, default=list)
    sites: Mapped[list[str]] = mapped_column(JSON, default=list)  # empty: every site
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    pages: Mapped[Pages] = mapped_column(word(Pages), default=Pages.SMS)
    second_phone: Mapped[str | None] = mapped_column(Sealed)
    second_phone_hash: Mapped[str | None] = mapped_column(String(64))
    reach: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # [{"by", "after", "phone"}]: in turn
    phone_verified_at: Mapped[datetime | None] = mapped_column(Instant)  # it answered us
    texts_stopped_at: Mapped[datetime | None] = mapped_column(Instant)  # it sent STOP: pages come by call
    password_hash: Mapped[str | None] = mapped_column(String(200))
    totp_secret: Mapped[str | None] = mapped_column(Sealed)  # of the second step at the door
    totp_since: Mapped[datetime | None] = mapped_column(Instant)  # none: not in use yet
    totp_step: Mapped[int | None] = mapped_column(BigInteger)  # the last code's: no code opens twice
    active: Mapped[bool] = mapped_column(default=True)
    phone_code: Mapped[str | None] = mapped_column(String(64))  # of a test page, by its keyed hash
    phone_code_until: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def phone_rings(self) -> bool:
        """Whether pages are known to arrive on the phone that they have now."""
        return self.phone_verified_at is not None and self.texts_stopped_at is None


class OnCallShift(Base):
    """Who holds which rung of a role: always, in a weekly pattern, or from when to when."""

    __tablename__ = "on_call_shift"

    id: Mapped[uuid.UUID] = key()
    site: Mapped[str] = mapped_column(String(64))  # "*": every site
    role: Mapped[Role] = mapped_column(word(Role))
    rung: Mapped[int] = mapped_column(default=0)  # 0 is asked first
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"))
    days: Mapped[list[str]] = mapped_column(JSON, default=list)  # ["mon", ...]; empty: every day
    hours: Mapped[str | None] = mapped_column(String(11))  # "19:00-07:00" in the site's zone
    starts_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    is_override: Mapped[bool] = mapped_column(default=False)
    turn: Mapped[int] = mapped_column(default=0)  # this person's place among those who take turns
    turns: Mapped[int] = mapped_column(default=1)  # how many they are; 1: nobody takes turns
    turn_days: Mapped[int] = mapped_column(default=7)
    made_by: Mapped[str | None] = mapped_column(Sealed)  # a cover made in the console; none: the file's
    staff: Mapped[Staff] = relationship(lazy="joined")


class Ladder(Base):
    """The rungs for one urgency: [{"who", "by", "after" (minutes)}], as pharmacy.toml gave them."""

    __tablename__ = "ladder"

    urgency: Mapped[Urgency] = mapped_column(word(Urgency), primary_key=True)
    rungs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class ApiToken(Base):
    """Another system's key to the API; only its hash is kept."""

    __tablename__ = "api_token"

    id: Mapped[uuid.UUID] = key()
    name: Mapped[str] = mapped_column(String(100), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
