"""A pharmacy's export as somebody drops it: a row for each patient, some of them wrong."""

ROW = {
    "site": "newyork",
    "patient_id": "X-1",
    "given_name": "Ana",
    "family_name": "Ruiz",
    "phone": "(212) 555-2101",
    "language": "es",
    "consent_sms_at": "2026-11-20 09:12",
    "consent_source": "intake form v3",
    "plan_id": "RX-X-1",
    "therapy": "iv_antibiotic",
    "line": "picc",
    "storage": "refrigerated",
    "administration": "elastomeric",
    "first_dose_at": "2026-11-27 10:00",
    "doses_per_day": "2",
    "ends_on": "2026-12-10",
    "verified": "yes",
}


def row(number: int, **cells: str) -> dict[str, str]:
    """The row of patient X-<number>."""
    own = {"patient_id": f"X-{number}", "plan_id": f"RX-X-{number}", "phone": f"(212) 555-{2100 + number}"}
    return {**ROW, **own, **cells}


def export(*rows: dict[str, str]) -> bytes:
    """The file."""
    lines = [",".join(ROW), *(",".join(each[name] for name in ROW) for each in rows)]
    return ("\n".join(lines) + "\n").encode()
