"""The sandbox's calls: phones that ring, TwiML that is carried out, and what the service is told of it."""

from collections.abc import Iterator

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from notifier.errors import Refused
from notifier.sandbox import Rates, Sandbox
from tests.edges.sandbox_world import ADA, BO, NIA, PHARMACY, Service, client_of, sandbox_for, service

EVENTS = ["initiated", "ringing", "answered", "completed"]
PAGE = (
    '<Response><Gather numDigits="1" timeout="8" action="/pressed?page=4">'
    "<Say>An urgent ticket waits. Press 1 to take it.</Say></Gather>"
    "<Say>We heard nothing.</Say></Response>"
)


@pytest.fixture
def pharmacy() -> Iterator[Service]:
    with service() as one:
        one.says["/page"] = PAGE
        one.says["/pressed"] = lambda form: f"<Response><Say>You pressed {form['Digits']}.</Say></Response>"
        yield one


@pytest.fixture
def sandbox(pharmacy: Service) -> Iterator[Sandbox]:
    with sandbox_for(pharmacy) as one:
        yield one


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with client_of(sandbox) as one:
        yield one


def ring(client: Client, pharmacy: Service, sandbox: Sandbox, to: str = NIA, **more: object) -> str:
    """Has the service call this phone; returns the call's SID when it rings or has failed to."""
    asked = {"url": f"{pharmacy.base}/page", **more}
    made = client.calls.create(
        to=to, from_=PHARMACY, status_callback=f"{pharmacy.base}/status", status_callback_event=EVENTS, **asked
    )
    assert made.status == "queued"
    sandbox.settle()
    return made.sid


def test_a_nurse_takes_a_ticket_by_phone(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sid = ring(client, pharmacy, sandbox)
    nia = sandbox.phone(NIA)
    assert nia.ringing.sid == sid
    assert pharmacy.at("/page") == [], "the words are fetched when she answers, not before"
    nia.answers()
    assert nia.heard == ["An urgent ticket waits.", "Press 1 to take it."]
    assert client.calls(sid).fetch().status == "in-progress"
    nia.press("1")
    [pressed] = pharmacy.at("/pressed")
    assert (pressed["Digits"], pressed["CallSid"], pressed["page"]) == ("1", sid, "4")
    assert nia.heard[-1] == "You pressed 1."
    assert nia.call is None
    assert pharmacy.statuses("/status") == ["initiated", "ringing", "in-progress", "completed"]
    told = pharmacy.at("/status")
    assert [one["SequenceNumber"] for one in told] == ["0", "1", "2", "3"]
    assert "CallDuration" in told[-1].form
    assert "CallDuration" not in told[0].form
    assert client.calls(sid).fetch().status == "completed"


def test_only_the_events_asked_for_are_told(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    client.calls.create(to=NIA, from_=PHARMACY, url=f"{pharmacy.base}/page", status_callback=f"{pharmacy.base}/status")
    sandbox.settle()
    sandbox.phone(NIA).answers()
    sandbox.phone(NIA).hangs_up()
    assert pharmacy.statuses("/status") == ["completed"]


def test_nobody_answers_until_the_ringing_ends(
    client: Client, sandbox: Sandbox, pharmacy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_CLOCK", "2026-03-01T03:00:00Z@0,0")
    ring(client, pharmacy, sandbox, timeout=25)
    monkeypatch.setenv("NOTIFIER_CLOCK", "2026-03-01T03:00:24Z@0,0")
    sandbox.settle()
    assert sandbox.phone(NIA).ringing
    monkeypatch.setenv("NOTIFIER_CLOCK", "2026-03-01T03:00:25Z@0,0")
    sandbox.settle()
    assert not sandbox.phone(NIA).ringing
    assert pharmacy.statuses("/status")[-1] == "no-answer"


def test_a_short_ring_ends_by_itself(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sid = ring(client, pharmacy, sandbox, timeout=1)
    with sandbox.book.changed:
        assert sandbox.book.changed.wait_for(lambda: sandbox.book.calls[sid].status == "no-answer", timeout=10)


@pytest.mark.parametrize(
    ("mode", "status"), [("off", "no-answer"), ("busy", "busy"), ("landline", "ringing"), ("on", "ringing")]
)
def test_a_phone_does_as_its_mode_says(
    client: Client, sandbox: Sandbox, pharmacy: Service, mode: str, status: str
) -> None:
    sandbox.phone(NIA).mode = mode
    assert client.calls(ring(client, pharmacy, sandbox)).fetch().status == status


def test_a_declined_call_is_busy(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sid = ring(client, pharmacy, sandbox)
    sandbox.phone(NIA).declines()
    assert client.calls(sid).fetch().status == "busy"
    with pytest.raises(Refused, match="does not ring"):
        sandbox.phone(NIA).answers()


def test_a_second_call_finds_the_phone_busy(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    ring(client, pharmacy, sandbox)
    sandbox.phone(NIA).answers()
    assert client.calls(ring(client, pharmacy, sandbox)).fetch().status == "busy"
    assert sandbox.phone(NIA).call


def test_a_ring_that_is_long_over_by_the_clock_keeps_no_line_busy(
    client: Client, sandbox: Sandbox, pharmacy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_CLOCK", "2026-03-01T03:00:00Z@0,0")
    first = ring(client, pharmacy, sandbox, timeout=25)
    monkeypatch.setenv("NOTIFIER_CLOCK", "2026-03-01T03:05:00Z@0,0")
    second = ring(client, pharmacy, sandbox, timeout=25)
    assert sandbox.phone(NIA).ringing.sid == second
    assert client.calls(first).fetch().status == "no-answer"


def test_silence_falls_through_the_gather(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    ring(client, pharmacy, sandbox)
    nia = sandbox.phone(NIA)
    nia.answers()
    nia.waits()
    assert nia.heard[-1] == "We heard nothing."
    assert pharmacy.at("/pressed") == []


def test_keys_are_taken_until_pound_or_silence(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/page"] = '<Response><Gather action="/pressed"><Say>Your code.</Say></Gather></Response>'
    for keys, digits in (("4711#", "4711"), ("4711", "4711")):
        ring(client, pharmacy, sandbox)
        sandbox.phone(NIA).answers(press=keys)
        assert pharmacy.at("/pressed")[-1]["Digits"] == digits


def test_an_empty_answer_is_told_when_asked_for(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/page"] = '<Response><Gather actionOnEmptyResult="true" action="/pressed"/></Response>'
    ring(client, pharmacy, sandbox)
    sandbox.phone(NIA).answers()
    sandbox.phone(NIA).waits()
    assert pharmacy.at("/pressed")[0]["Digits"] == ""


def test_speech_is_understood_and_keys_are_not_where_only_speech_is_asked_for(
    client: Client, sandbox: Sandbox, pharmacy: Service
) -> None:
    pharmacy.says["/page"] = '<Response><Gather input="speech" action="/said"><Say>Go on.</Say></Gather></Response>'
    ring(client, pharmacy, sandbox)
    nia = sandbox.phone(NIA)
    nia.answers()
    nia.press("1")
    assert pharmacy.at("/said") == []
    nia.says("I have a fever")
    [said] = pharmacy.at("/said")
    assert said["SpeechResult"] == "I have a fever"
    assert 0 < float(said["Confidence"]) <= 1


def test_ada_calls_the_pharmacy_and_records_what_she_needs(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/twilio/voice"] = (
        "<Response><Say>Speak after the tone.</Say>"
        '<Record action="/recorded" recordingStatusCallback="/ready" transcribe="true" transcribeCallback="/read"/>'
        "<Say>Nothing was recorded.</Say></Response>"
    )
    pharmacy.says["/recorded"] = "<Response><Say>A nurse will call you.</Say><Hangup/></Response>"
    ada = sandbox.phone(ADA)
    call = ada.calls(PHARMACY)
    [asked] = pharmacy.at("/twilio/voice")
    assert (asked["Direction"], asked["From"], asked["To"], asked["CallStatus"]) == (
        "inbound", ADA, PHARMACY, "ringing",
    )  # fmt: skip
    ada.says("my line is leaking")
    assert ada.heard[-1] == "A nurse will call you."
    assert ada.call is None
    [recorded], [ready], [read] = pharmacy.at("/recorded"), pharmacy.at("/ready"), pharmacy.at("/read")
    assert recorded["RecordingUrl"].startswith(sandbox.url)
    assert recorded["RecordingSid"] == ready["RecordingSid"]
    assert read["TranscriptionText"] == "my line is leaking"
    [kept] = client.recordings.list(call_sid=call.sid)
    assert kept.sid == recorded["RecordingSid"]
    assert client.calls(call.sid).recordings.list()[0].sid == kept.sid
    assert client.recordings(kept.sid).delete()
    assert client.recordings.list() == []


def test_a_recording_is_kept_when_ada_hangs_up_in_the_middle(sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/twilio/voice"] = '<Response><Record action="/recorded" timeout="60"/></Response>'
    ada = sandbox.phone(ADA)
    ada.calls(PHARMACY)
    sandbox.switchboard.say(ADA, "please call me")
    sandbox.settle()
    ada.hangs_up()
    [recorded] = pharmacy.at("/recorded")
    assert (recorded["Digits"], recorded["CallStatus"]) == ("hangup", "completed")


def test_two_nurses_are_rung_in_turn_and_the_one_who_accepts_gets_the_caller(
    client: Client, sandbox: Sandbox, pharmacy: Service
) -> None:
    pharmacy.says["/twilio/voice"] = (
        '<Response><Say>One moment.</Say><Dial sequential="true" timeout="20" action="/dialled">'
        f'<Number url="/whisper">{NIA}</Number><Number url="/whisper">{BO}</Number></Dial></Response>'
    )
    pharmacy.says["/whisper"] = (
        '<Response><Gather numDigits="1" action="/accept"><Say>A patient calls. Press 1.</Say></Gather>'
        "<Hangup/></Response>"
    )
    pharmacy.says["/dialled"] = "<Response><Say>Goodbye.</Say></Response>"
    ada, nia, bo = (sandbox.phone(number) for number in (ADA, NIA, BO))
    ada.calls(PHARMACY)
    assert nia.ringing
    assert not bo.ringing
    nia.answers()
    nia.waits()
    assert not nia.call, "she pressed nothing, so the whisper hung up"
    assert bo.ringing.direction == "outbound-dial"
    bo.answers(press="1")
    assert pharmacy.at("/accept")[0]["Digits"] == "1"
    assert ada.heard[-1] == "[connected to 503-555-0112]"
    ada.says("my pump beeps")
    bo.says("which pump")
    assert bo.heard[-1] == "“my pump beeps”"
    assert ada.heard[-1] == "“which pump”"
    bo.hangs_up()
    [dialled] = pharmacy.at("/dialled")
    assert (dialled["DialCallStatus"], dialled["DialBridged"]) == ("completed", "true")
    assert ada.heard[-1] == "Goodbye."
    assert [call.status for call in client.calls.list(parent_call_sid=ada.history[-1].sid)] == ["completed"] * 2


def test_of_two_phones_that_ring_at_once_the_first_to_answer_wins(sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/twilio/voice"] = (
        f'<Response><Dial action="/dialled"><Number>{NIA}</Number><Number>{BO}</Number></Dial></Response>'
    )
    ada, nia, bo = (sandbox.phone(number) for number in (ADA, NIA, BO))
    ada.calls(PHARMACY)
    assert nia.ringing
    assert bo.ringing
    bo.answers()
    assert not nia.ringing
    assert nia.history[-1].status == "canceled"
    ada.hangs_up()
    assert bo.call is None
    assert bo.history[-1].status == "completed"


def test_when_no_one_can_be_reached_the_caller_hears_what_comes_next(sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/twilio/voice"] = f'<Response><Dial action="/dialled">{NIA}</Dial></Response>'
    pharmacy.says["/dialled"] = lambda form: f"<Response><Say>It was {form['DialCallStatus']}.</Say></Response>"
    ada, nia = sandbox.phone(ADA), sandbox.phone(NIA)
    for mode, heard in (("busy", "It was busy."), ("off", "It was no-answer.")):
        nia.mode = mode
        ada.calls(PHARMACY)
        assert ada.heard == [heard]
    nia.mode = "on"
    ada.calls(PHARMACY)
    nia.waits()
    assert ada.heard == ["It was no-answer."]


def test_a_machine_is_detected_before_the_first_word(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.phone(NIA).mode = "voicemail"
    for wanted, verdict in (("Enable", "machine_start"), ("DetectMessageEnd", "machine_end_beep")):
        sid = ring(client, pharmacy, sandbox, machine_detection=wanted)
        assert pharmacy.at("/page")[-1]["AnsweredBy"] == verdict
        found = client.calls(sid).fetch()
        assert (found.status, found.answered_by) == ("completed", verdict)
    assert pharmacy.at("/pressed") == [], "a machine presses no key"
    ring(client, pharmacy, sandbox)
    assert "AnsweredBy" not in pharmacy.at("/page")[-1].form


def test_a_person_is_called_human(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    ring(client, pharmacy, sandbox, machine_detection="Enable")
    sandbox.phone(NIA).answers()
    assert pharmacy.at("/page")[-1]["AnsweredBy"] == "human"


def test_a_late_verdict_may_turn_the_call_into_a_voicemail(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    def verdict(form: dict[str, str]) -> str:
        client.calls(form["CallSid"]).update(twiml="<Response><Say>Please call 800-555-0100.</Say></Response>")
        return ""

    pharmacy.says["/verdict"] = verdict
    sandbox.phone(NIA).mode = "voicemail"
    sid = ring(
        client,
        pharmacy,
        sandbox,
        machine_detection="DetectMessageEnd",
        async_amd="true",
        async_amd_status_callback=f"{pharmacy.base}/verdict",
    )
    assert "AnsweredBy" not in pharmacy.at("/page")[0].form
    assert pharmacy.at("/verdict")[0]["AnsweredBy"] == "machine_end_beep"
    assert sandbox.phone(NIA).heard[-1] == "Please call 800-555-0100."
    assert client.calls(sid).fetch().status == "completed"


def test_the_service_can_end_and_divert_a_call(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sid = ring(client, pharmacy, sandbox)
    with pytest.raises(TwilioRestException) as refusal:
        client.calls(sid).update(twiml="<Response/>")
    assert refusal.value.code == 21220
    assert client.calls(sid).update(status="canceled").status == "canceled"
    assert not sandbox.phone(NIA).ringing

    sid = ring(client, pharmacy, sandbox)
    sandbox.phone(NIA).answers()
    pharmacy.says["/other"] = "<Response><Gather><Say>Something else.</Say></Gather></Response>"
    client.calls(sid).update(url=f"{pharmacy.base}/other")
    sandbox.settle()
    assert sandbox.phone(NIA).heard[-1] == "Something else."
    assert client.calls(sid).update(status="completed").status == "completed"
    assert sandbox.phone(NIA).call is None
    assert client.calls(sid).delete()
    assert client.calls.list(to=NIA, status="completed") == []


def test_words_may_come_with_the_order(client: Client, sandbox: Sandbox) -> None:
    client.calls.create(to=NIA, from_=PHARMACY, twiml="<Response><Say>Hello.</Say><Pause/><Say>Bye.</Say></Response>")
    sandbox.settle()
    sandbox.phone(NIA).answers()
    assert sandbox.phone(NIA).heard == ["Hello.", "Bye."]


def test_a_redirect_hands_over(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/page"] = "<Response><Redirect>/pressed?Digits=7</Redirect><Say>unreachable</Say></Response>"
    ring(client, pharmacy, sandbox)
    sandbox.phone(NIA).answers()
    assert sandbox.phone(NIA).heard == ["You pressed 7."]


def test_a_document_that_turns_in_circles_ends(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/page"] = "<Response><Redirect>/page</Redirect></Response>"
    sid = ring(client, pharmacy, sandbox)
    sandbox.phone(NIA).answers()
    assert client.calls(sid).fetch().status == "completed"


@pytest.mark.parametrize(
    ("said", "code"), [(("down", 500), 11200), ("<Response><Say>", 12100), ("<Answer/>", 12100), ("", 12100)]
)
def test_words_that_cannot_be_spoken_end_in_an_apology_or_in_the_fallback(
    client: Client, sandbox: Sandbox, pharmacy: Service, said: str, code: int
) -> None:
    pharmacy.says["/page"] = said
    pharmacy.says["/fallback"] = "<Response><Say>Call 911 in an emergency.</Say></Response>"
    nia = sandbox.phone(NIA)
    ring(client, pharmacy, sandbox)
    nia.answers()
    assert nia.heard[-1] == "Goodbye."
    ring(client, pharmacy, sandbox, fallback_url=f"{pharmacy.base}/fallback")
    nia.answers()
    assert nia.heard == ["Call 911 in an emergency."]
    assert pharmacy.at("/fallback")[0]["ErrorCode"] == str(code)


def test_a_caller_can_be_rejected(sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/twilio/voice"] = "<Response><Reject/></Response>"
    sandbox.phone(ADA).calls(PHARMACY)
    assert sandbox.phone(ADA).history[-1].status == "busy"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "+15005550001"}, 21217),
        ({"to": "+15005550002"}, 21214),
        ({"to": "+15005550003"}, 21215),
        ({"to": "+15005550004"}, 21216),
        ({"to": "12"}, 21217),
        ({"to": NIA, "from_": "+15005550001"}, 21210),
        ({"to": NIA, "url": None}, 21205),
        ({"to": NIA, "url": "nowhere"}, 21205),
    ],
)
def test_a_call_that_twilio_refuses_is_refused_with_its_code(
    client: Client, sandbox: Sandbox, fields: dict[str, str], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        client.calls.create(**{"from_": PHARMACY, "url": "https://h.example/page", **fields})
    assert refusal.value.code == code
    assert sandbox.calls == []


def test_a_call_cut_off_by_a_restart_has_failed(pharmacy: Service, tmp_path: object) -> None:
    file = f"{tmp_path}/state.db"
    with sandbox_for(pharmacy, state_file=file) as first, client_of(first) as client:
        sid = ring(client, pharmacy, first)
        first.phone(NIA).answers()
    with sandbox_for(pharmacy, state_file=file) as second, client_of(second) as client:
        assert client.calls(sid).fetch().status == "failed"
        assert second.phone(NIA).call is None


def test_speech_takes_its_time_and_a_key_cuts_it_short(pharmacy: Service) -> None:
    pharmacy.says["/page"] = (
        '<Response><Gather numDigits="1" action="/pressed"><Say>Press four to go on. There is more.</Say></Gather>'
        "</Response>"
    )
    with sandbox_for(pharmacy, words_per_second=0.5) as sandbox, client_of(sandbox) as client:
        sid = ring(client, pharmacy, sandbox)
        sandbox.switchboard.answer(NIA)
        with sandbox.book.changed:
            assert sandbox.book.changed.wait_for(lambda: sandbox.book.calls[sid].heard, timeout=10)
        assert sandbox.book.calls[sid].heard == ("Press four to go on.",)
        sandbox.phone(NIA).press("4")
        assert sandbox.phone(NIA).heard == ["Press four to go on.", "You pressed 4."]


def test_calls_go_out_at_their_rate(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.rates = Rates(calls=0.001)
    for to in (NIA, BO):
        client.calls.create(to=to, from_=PHARMACY, url=f"{pharmacy.base}/page")
    with sandbox.book.changed:
        assert sandbox.book.changed.wait_for(lambda: sandbox.phone(NIA).ringing, timeout=10)
    assert not sandbox.phone(BO).ringing
    sandbox.settle()
    assert sandbox.phone(BO).ringing


def test_a_webhook_may_end_its_own_call(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    def ends(form: dict[str, str]) -> str:
        client.calls(form["CallSid"]).update(status="completed")
        return PAGE

    pharmacy.says["/page"] = ends
    sid = ring(client, pharmacy, sandbox)
    sandbox.phone(NIA).answers()
    assert client.calls(sid).fetch().status == "completed"
