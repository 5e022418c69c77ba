"""A storm may cut the power: those whom it may reach are told, and who cannot be without it is called."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from notifier import journal
from notifier.catalog import Catalog
from notifier.core.planning import SILENT
from notifier.core.vocabulary import THERAPY_FLAGS, Consent, Flag, Role, Urgency
from notifier.db import add_once
from notifier.enrolment.telling import tell
from notifier.errors import Missing
from notifier.models import Message, Patient, Site, TherapyPlan

STORM = "M21"
LIVES = timedelta(hours=6)
CALL = "A storm may cut the power, and this therapy must not stop. Please call: is there a plan, is the device charged?"


def warn_of_storm(
    session: Session, site_key: str, postal_codes: Sequence[str], name: str, *, catalog: Catalog, by: str, now: datetime
) -> tuple[int, int]:
    """Tell the patients under way in these postal codes, each once for a storm's `name`. Returns (told, to be called).

    Raises Missing: no such site.
    """
    site = session.get(Site, site_key)
    if site is None:
        raise Missing(f"there is no site {site_key}")
    wanted = {code.strip()[:5] for code in postal_codes}
    plans = session.scalars(
        select(TherapyPlan)
        .where(TherapyPlan.site_key == site.key, TherapyPlan.state.not_in(SILENT))
        .options(selectinload(TherapyPlan.patient).selectinload(Patient.contacts))
        .order_by(TherapyPlan.created_at)
    ).unique()
    told = called = 0
    for plan in plans:
        if (plan.patient.postal_code or "").strip()[:5] not in wanted:
            continue
        told += _tell(session, plan, name, catalog=catalog, by=by, now=now)
        if _must_not_stop(plan):
            tell(session, plan, Role.NURSE, Urgency.URGENT, "STORM", CALL, catalog=catalog, by=by, now=now)
            called += 1
    return told, called


def _must_not_stop(plan: TherapyPlan) -> bool:
    flags = {*plan.flags, THERAPY_FLAGS.get(plan.therapy)}
    return Flag.CRITICAL_CONTINUOUS in flags


def _tell(session: Session, plan: TherapyPlan, name: str, *, catalog: Catalog, by: str, now: datetime) -> bool:
    contact = plan.patient.contact
    if contact.consent(contact.channel) is not Consent.GIVEN:
        return False
    message = Message(
        key=f"storm:{name}:{plan.patient_id}",
        site_key=plan.site_key,
        patient_id=plan.patient_id,
        plan_id=plan.id,
        contact_id=contact.id,
        to=contact.phone,
        to_hash=contact.phone_hash,
        channel=contact.channel,
        template=STORM,
        language=contact.language,
        values={},
        prompt=catalog.messages[STORM].asks,
        matters=True,
        due_at=now,
        not_after=now + LIVES,
        created_at=now,
    )
    message, new = add_once(session, message, Message.key)
    if new:
        journal.note(session, plan, "therapy_plan.warned", now=now, by=by, detail=name)
    return new
