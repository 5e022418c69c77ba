"""Verbs about people and plans: who is told, what they agreed to, and the dated facts that messages follow.

Each verb writes its journal line and replans; none commits. `by` is whoever did it, in words for the journal.
"""

from notifier.details import (
    CaregiverDetails,
    ConsentDetails,
    DeliveryDetails,
    Item,
    PatientDetails,
    PlanDetails,
)
from notifier.enrolment.answers import answer
from notifier.enrolment.events import (
    change_items,
    find_event,
    move_delivery,
    schedule_delivery,
    schedule_education,
    schedule_event,
    set_delivery_status,
    set_education,
    set_event,
)
from notifier.enrolment.facts import facts_of
from notifier.enrolment.people import amend, enrol, find_patient, record_consent
from notifier.enrolment.plans import (
    CHECKLIST,
    add_plan,
    change_plan,
    count_doses,
    details_of,
    end,
    find_plan,
    order_incomplete,
    pause,
    resume,
    roll_forward,
    supplies_ready,
    to_roll_forward,
    verify,
)
from notifier.enrolment.replanning import replan, replan_all, together
from notifier.enrolment.warning import warn_of_storm

__all__ = [
    "CHECKLIST",
    "CaregiverDetails",
    "ConsentDetails",
    "DeliveryDetails",
    "Item",
    "PatientDetails",
    "PlanDetails",
    "add_plan",
    "amend",
    "answer",
    "change_items",
    "change_plan",
    "count_doses",
    "details_of",
    "end",
    "enrol",
    "facts_of",
    "find_event",
    "find_patient",
    "find_plan",
    "move_delivery",
    "order_incomplete",
    "pause",
    "record_consent",
    "replan",
    "replan_all",
    "resume",
    "roll_forward",
    "schedule_delivery",
    "schedule_education",
    "schedule_event",
    "set_delivery_status",
    "set_education",
    "set_event",
    "supplies_ready",
    "to_roll_forward",
    "together",
    "verify",
    "warn_of_storm",
]
