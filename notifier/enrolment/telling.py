"""A ticket about a plan that no text of a patient's opened: what staff must do because a fact changed."""

from datetime import datetime

from sqlalchemy.orm import Session

from notifier import tickets
from notifier.catalog import Catalog
from notifier.core.vocabulary import Role, Source, Urgency
from notifier.models import TherapyPlan, Ticket


def tell(
    session: Session,
    plan: TherapyPlan,
    role: Role,
    urgency: Urgency,
    kind: str,
    text: str,
    *,
    catalog: Catalog,
    by: str,
    now: datetime,
) -> tuple[Ticket, bool]:
    """Open a ticket about a plan, or add to the one that stands. True: it is new."""
    need = tickets.Need(
        site_key=plan.site_key,
        subject=f"patient:{plan.patient_id}",
        role=role,
        urgency=urgency,
        kinds=(kind,),
        source=Source.SYSTEM,
        text=text,
        patient_id=plan.patient_id,
        contact_id=plan.patient.contact.id,
        plan_id=plan.id,
    )
    return tickets.open_or_append(session, need, catalog=catalog, now=now, by=by)
