"""What a patient's words mean: one text in, one Reading out. Start at `reading.read`."""

from notifier.core.triage.missing import missing_items
from notifier.core.triage.reading import looks_red, read
from notifier.core.triage.rules import Rules
from notifier.core.triage.values import Evidence, Reading, Row, to_json

__all__ = ["Evidence", "Reading", "Row", "Rules", "looks_red", "missing_items", "read", "to_json"]
