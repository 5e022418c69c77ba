"""What comes from Twilio, and what only says so."""

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import requests
from sqlalchemy import func, select
from twilio.request_validator import RequestValidator

from notifier import runtime
from notifier.models import AuditEvent, Inbound, Ticket
from tests.world import TOKEN

FORM = {"MessageSid": "SM" + "1" * 32, "From": "+12125551001", "To": "+12125550199", "Body": "FEVER", "NumMedia": "0"}


def count(model) -> int:
    with runtime.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


def post(url: str, form: dict[str, str], signature: str | None) -> requests.Response:
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    return requests.post(url, data=form, headers=headers, timeout=10)


def test_a_forged_fever_is_refused_and_leaves_only_a_count(clinic):
    clinic.active("Ivy")
    lines, url = count(AuditEvent), f"{clinic.world.url}/twilio/sms"
    before = _refused(clinic)
    stolen = RequestValidator("another-token").compute_signature(url, FORM)
    for signature in (None, "", "nonsense", stolen):
        assert post(url, FORM, signature).status_code == 403
    changed = {**FORM, "Body": "STOP"}
    assert post(url, changed, RequestValidator(TOKEN).compute_signature(url, FORM)).status_code == 403
    clinic.world.settle()
    assert count(Inbound) == count(Ticket) == 0
    assert count(AuditEvent) == lines
    assert _refused(clinic) == before + 5


def _refused(clinic) -> float:
    page = requests.get(f"{clinic.world.url}/metrics", timeout=10).text
    lines = [line for line in page.splitlines() if line.startswith("notifier_refused_signatures_total")]
    return float(lines[0].split()[-1]) if lines else 0.0


def test_every_door_of_twilio_asks_for_the_signature(clinic):
    base = f"{clinic.world.url}/twilio"
    some = "00000000-0000-0000-0000-000000000000"
    for path in ("sms", "voice", f"status/{some}", f"voice/{some}", f"voice/{some}/page", "voice/menu", "nothing"):
        assert post(f"{base}/{path}", FORM, "wrong").status_code in (403, 404), path
    assert post(f"{base}/sms", FORM, "wrong").status_code == 403


def test_the_signature_covers_the_address_with_its_raw_query(clinic):
    clinic.active("Ivy")
    url = f"{clinic.world.url}/twilio/sms?a=%2Fb%7Ec&d=%C3%A9"
    headers = {
        "X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, FORM),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    host = urlsplit(url).netloc
    with closing(HTTPConnection(host, timeout=10)) as line:  # requests would tidy the address up
        line.request("POST", url.partition(host)[2], urlencode(FORM), headers)
        assert line.getresponse().status == 200


def test_a_text_is_answered_with_an_empty_document(clinic):
    clinic.active("Ivy")
    url = f"{clinic.world.url}/twilio/sms"
    answer = post(url, FORM, RequestValidator(TOKEN).compute_signature(url, FORM))
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert "<Response" in answer.text
    assert "<Message" not in answer.text


def test_receipts_in_any_order_never_move_a_message_back(clinic, clock):
    from notifier.sandbox import Receipts

    clinic.sandbox.receipts = Receipts(duplicated=True, shuffled=True)
    ivy = clinic.patient("Ivy")
    assert ivy.message("M01").state == "delivered"


def test_a_handset_that_is_off_is_tried_again_and_then_a_human_is_told(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    ivy.phone.mode = "off"
    clinic.ordered(ivy, "2026-11-29 15:00")
    clinic.verified(ivy)
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    clock.passes(hours=4)
    told = ivy.message("M04")
    assert told.state == "failed"
    assert told.attempts == 3
    assert ivy.ticket.kinds == ["UNREACHABLE"]
    assert "M04" in ivy.ticket.text
    assert clinic.cora.is_paged


def test_a_landline_is_told_by_voice_when_that_was_agreed_to(clinic, clock):
    from notifier.core.vocabulary import Channel
    from notifier.enrolment import ConsentDetails

    both = tuple(ConsentDetails(channel, "intake form v3", clock.now) for channel in Channel)
    ivy = clinic.patient("Ivy", welcomed=True, consents=both)
    ivy.phone.mode = "landline"
    clinic.ordered(ivy, "2026-11-29 15:00")
    clinic.verified(ivy)
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    call = next(each for each in ivy.messages if each.channel is Channel.VOICE and each.template == "M04")
    assert call.state in ("sent", "delivered")
    heard = ivy.answers("1", "1")
    assert any("between 10 AM and 12 PM" in sentence for sentence in heard)
    assert clinic.next_delivery(ivy).confirmed_at is not None


def test_an_answer_that_is_lost_is_never_sent_again(clinic, clock):
    ivy = clinic.active("Ivy")
    clinic.sandbox.fault("500-after", to=ivy.phone.number)
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    clinic.world.settle()
    assert ivy.received("Your delivery is set for Wednesday") == 1
    assert ivy.told("M04") == ["Mon 09:00"]


def test_too_many_requests_are_tried_again_and_arrive_once(clinic, clock):
    ivy = clinic.active("Ivy")
    clinic.sandbox.fault("429", times=2, to=ivy.phone.number)
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    clock.passes(minutes=2)
    assert ivy.received("Your delivery is set for Wednesday") == 1


def test_a_machine_that_took_the_call_has_not_been_reached_whatever_the_last_receipt_leaves_out(clinic, clock):
    bill = clinic.patient("Bill", channel="voice")
    message = bill.message("M01")
    call = {"CallSid": clinic.sandbox.calls[-1].sid, "From": "+12125550199", "To": bill.phone.number}
    base = f"{clinic.world.url}/twilio"
    for url, form in (
        (f"{base}/voice/{message.attempt_id}", {**call, "CallStatus": "in-progress", "AnsweredBy": "machine_start"}),
        (f"{base}/status/{message.attempt_id}", {**call, "CallStatus": "completed", "CallDuration": "9"}),
    ):
        assert post(url, form, RequestValidator(TOKEN).compute_signature(url, form)).status_code < 300
    assert bill.message("M01").state != "delivered"
