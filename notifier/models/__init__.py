"""The tables, their unique keys and their check constraints. Statuses move through journal.py and nowhere else."""

from notifier.models.books import (
    AuditEvent,
    ConsoleSession,
    Counter,
    IdempotentCall,
    ImportRun,
    Leader,
    Mark,
    PageCheck,
    RecoveryCode,
    Secret,
    TicketSeen,
)
from notifier.models.calls import PhoneCall, Recording
from notifier.models.messages import Attempt, Message, Receipt, SenderStop, Watch
from notifier.models.patients import CareEvent, ConsentRecord, Contact, Patient, PhoneLine, TherapyPlan
from notifier.models.pharmacy import ApiToken, Ladder, OnCallShift, Site, Staff
from notifier.models.tickets import Escalation, HandOver, Inbound, Paged, Ticket, TicketLink

__all__ = [
    "ApiToken",
    "Attempt",
    "AuditEvent",
    "CareEvent",
    "ConsentRecord",
    "ConsoleSession",
    "Contact",
    "Counter",
    "Escalation",
    "HandOver",
    "IdempotentCall",
    "ImportRun",
    "Inbound",
    "Ladder",
    "Leader",
    "Mark",
    "Message",
    "OnCallShift",
    "PageCheck",
    "Paged",
    "Patient",
    "PhoneCall",
    "PhoneLine",
    "Receipt",
    "Recording",
    "RecoveryCode",
    "Secret",
    "SenderStop",
    "Site",
    "Staff",
    "TherapyPlan",
    "Ticket",
    "TicketLink",
    "TicketSeen",
    "Watch",
]
