"""The sandbox's texts, as the unmodified twilio client and a service with real webhooks see them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from notifier.sandbox import Rates, Receipts, Sandbox
from notifier.sandbox.post import Overrides, signed_url
from notifier.sandbox.texts import segments
from tests.edges.sandbox_world import ADA, BO, NIA, PHARMACY, SID, Service, client_of, sandbox_for, service


@pytest.fixture
def pharmacy() -> Iterator[Service]:
    with service() as one:
        yield one


@pytest.fixture
def sandbox(pharmacy: Service) -> Iterator[Sandbox]:
    with sandbox_for(pharmacy) as one:
        yield one


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with client_of(sandbox) as one:
        yield one


def test_a_reminder_reaches_ada_and_two_signed_receipts_come_back(
    client: Client, sandbox: Sandbox, pharmacy: Service
) -> None:
    made = client.messages.create(
        to="(503) 555-0101", from_=PHARMACY, body="Your box comes today.", status_callback=f"{pharmacy.base}/status/7"
    )
    assert (made.status, made.to, made.direction, made.num_segments) == ("queued", ADA, "outbound-api", "1")
    assert made.sid.startswith("SM")
    assert len(made.sid) == 34

    sandbox.settle()
    ada = sandbox.phone(ADA)
    assert [(text.body, text.sender) for text in ada.inbox] == [("Your box comes today.", PHARMACY)]
    assert pharmacy.statuses("/status/7") == ["sent", "delivered"]
    assert "RawDlrDoneDate" not in pharmacy.heard[0].form
    assert len(pharmacy.heard[1]["RawDlrDoneDate"]) == 10
    assert client.messages(made.sid).fetch().status == "delivered"
    assert [text.sid for text in sandbox.sent] == [made.sid]


@pytest.mark.parametrize(("mode", "code"), [("off", "30003"), ("landline", "30006")])
def test_a_phone_that_cannot_be_texted_says_so_in_the_last_receipt(
    client: Client, sandbox: Sandbox, pharmacy: Service, mode: str, code: str
) -> None:
    sandbox.phone(ADA).mode = mode
    sid = client.messages.create(to=ADA, from_=PHARMACY, body="Hi", status_callback=f"{pharmacy.base}/s").sid
    sandbox.settle()
    assert pharmacy.statuses("/s") == ["sent", "undelivered"]
    assert pharmacy.heard[-1]["ErrorCode"] == code
    assert client.messages(sid).fetch().error_code == int(code)
    assert sandbox.phone(ADA).inbox == []


def test_a_filtered_text_ends_with_the_carriers_code(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.phone(ADA).failure = 30007
    client.messages.create(to=ADA, from_=PHARMACY, body="Hi", status_callback=f"{pharmacy.base}/s")
    sandbox.settle()
    assert pharmacy.heard[-1]["ErrorCode"] == "30007"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "", "body": "x"}, 21604),
        ({"to": "banana", "body": "x"}, 21211),
        ({"to": PHARMACY, "body": "x"}, 21211),
        ({"to": ADA, "from_": "", "body": "x"}, 21603),
        ({"to": ADA, "from_": "12", "body": "x"}, 21212),
        ({"to": ADA, "body": ""}, 21602),
        ({"to": ADA, "body": "x" * 1601}, 21617),
        ({"to": ADA, "body": "x", "status_callback": "not a url"}, 21609),
        ({"to": ADA, "body": "x", "status_callback": "https://a_b.example/s"}, 21609),
        ({"to": "+15005550001", "body": "x"}, 21211),
        ({"to": "+15005550002", "body": "x"}, 21612),
        ({"to": "+15005550003", "body": "x"}, 21408),
        ({"to": "+15005550004", "body": "x"}, 21610),
        ({"to": "+15005550009", "body": "x"}, 21614),
        ({"to": ADA, "from_": "+15005550001", "body": "x"}, 21212),
        ({"to": ADA, "from_": "+15005550005", "body": "x"}, 21606),
        ({"to": ADA, "from_": "+15005550007", "body": "x"}, 21606),
        ({"to": ADA, "from_": "+15005550008", "body": "x"}, 21611),
        ({"to": ADA, "from_": None, "messaging_service_sid": "MGnone", "body": "x"}, 21701),
        ({"to": ADA, "body": "x", "schedule_type": "fixed", "send_at": "2026-01-01T00:00:00Z"}, 35118),
    ],
)
def test_what_twilio_refuses_is_refused_with_its_code(
    client: Client, sandbox: Sandbox, fields: dict[str, str], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        client.messages.create(**{"from_": PHARMACY, **fields})
    assert (refusal.value.status, refusal.value.code) == (400, code)
    assert sandbox.sent == []


def test_the_magic_sender_may_send(client: Client) -> None:
    assert client.messages.create(to=ADA, from_="+15005550006", body="x").status == "queued"


def test_an_api_key_opens_the_door_and_a_wrong_secret_does_not(pharmacy: Service) -> None:
    with sandbox_for(pharmacy, api_key="SK1", api_secret="secret") as sandbox:
        with client_of(sandbox, "SK1", "secret") as client:
            assert client.messages.list() == []
        for user, secret in [("SK1", "wrong"), (SID, "wrong"), ("nobody", ""), ("", "")]:
            with client_of(sandbox, user, secret) as client, pytest.raises(TwilioRestException) as refusal:
                client.messages("SM" + "0" * 32).fetch()
            assert (refusal.value.status, refusal.value.code) == (401, 20003)


def test_a_reply_is_posted_where_the_number_says_else_to_the_service(
    client: Client, sandbox: Sandbox, pharmacy: Service
) -> None:
    client.messages.create(to=ADA, from_=PHARMACY, body="How are you?")
    sandbox.settle()
    sid = sandbox.phone(ADA).texts("FEVER & chills, 101°")
    sandbox.settle()
    [heard] = pharmacy.at("/twilio/sms")
    assert (heard["MessageSid"], heard["From"], heard["To"], heard["NumMedia"]) == (sid, ADA, PHARMACY, "0")
    assert heard["Body"] == "FEVER & chills, 101°"
    assert client.messages(sid).fetch().status == "received"

    [number] = client.incoming_phone_numbers.list(phone_number=PHARMACY)
    client.incoming_phone_numbers(number.sid).update(sms_url=f"{pharmacy.base}/elsewhere?key=a%2Fb%7E#rc=2&rp=5xx")
    sandbox.phone(ADA).texts("again")
    sandbox.settle()
    assert pharmacy.at("/elsewhere")[0]["Body"] == "again"


def test_the_service_may_answer_with_twiml_and_its_answer_is_told_of_too(sandbox: Sandbox, pharmacy: Service) -> None:
    told = f'action="{pharmacy.base}/told"'
    pharmacy.says["/twilio/sms"] = f"<Response><Message {told}>A nurse will call.</Message></Response>"
    ada = sandbox.phone(ADA)
    ada.texts("FEVER", to=PHARMACY)
    sandbox.settle()
    assert [text.body for text in ada.inbox] == ["A nurse will call."]
    assert pharmacy.statuses("/told") == ["sent", "delivered"]
    assert sandbox.sent == []


def test_when_the_service_is_broken_the_fallback_hears_why(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.own(PHARMACY)
    [number] = client.incoming_phone_numbers.list(phone_number=PHARMACY)
    client.incoming_phone_numbers(number.sid).update(sms_fallback_url=f"{pharmacy.base}/fallback")
    pharmacy.says["/twilio/sms"] = ("oh no", 500)
    pharmacy.says["/fallback"] = "<Response><Message>Call 911 in an emergency.</Message></Response>"
    ada = sandbox.phone(ADA)
    ada.texts("FEVER")
    sandbox.settle()
    [heard] = pharmacy.at("/fallback")
    assert (heard["ErrorCode"], heard["Body"]) == ("11200", "FEVER")
    assert heard["ErrorUrl"] == f"{pharmacy.base}/twilio/sms"
    assert ada.inbox[-1].body == "Call 911 in an emergency."
    assert [alert.code for alert in sandbox.alerts] == [11200]
    assert len(pharmacy.at("/twilio/sms")) == 1, "Twilio does not retry a 500 unless it is asked to"


def test_a_500_is_tried_again_when_the_address_asks_for_it(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.own(PHARMACY)
    [number] = client.incoming_phone_numbers.list(phone_number=PHARMACY)
    client.incoming_phone_numbers(number.sid).update(sms_url=f"{pharmacy.base}/sms#rc=2&rp=5xx,ct")
    pharmacy.says["/sms"] = ("oh no", 503)
    sandbox.phone(ADA).texts("FEVER")
    sandbox.settle()
    heard = pharmacy.at("/sms")
    assert len(heard) == 3
    assert len({one.token for one in heard}) == 1, "the token tells that these are one"


def test_a_service_that_is_away_is_tried_twice_and_its_text_waits_in_the_list(client: Client, sandbox: Sandbox) -> None:
    sandbox.public_base_url = "http://127.0.0.1:1"
    sid = sandbox.phone(ADA).texts("MISSING", to=PHARMACY)
    sandbox.settle()
    assert [alert.code for alert in sandbox.alerts] == [11205]
    [waiting] = client.messages.list(to=PHARMACY, date_sent_after=datetime(2020, 1, 1, tzinfo=UTC))
    assert (waiting.sid, waiting.body, waiting.direction) == (sid, "MISSING", "inbound")


def test_stop_is_twilios_own_business_and_ours(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    ada = sandbox.phone(ADA)
    for words in ("stop please", " Stop ", "STOP", "help", "yes", "START"):
        ada.texts(words, to=PHARMACY)
        sandbox.settle()
        if words == "STOP":
            with pytest.raises(TwilioRestException) as refusal:
                client.messages.create(to=ADA, from_=PHARMACY, body="x")
            assert refusal.value.code == 21610
            assert client.messages.create(to=ADA, from_="+13125550199", body="another sender").status == "queued"
    sandbox.settle()
    assert [heard["Body"] for heard in pharmacy.at("/twilio/sms")] == [
        "stop please", " Stop ", "STOP", "help", "yes", "START"
    ]  # fmt: skip
    told = [text.body.partition(" from")[0] for text in ada.inbox if text.sender == PHARMACY]
    assert told[0].startswith("You have successfully been unsubscribed.")
    assert told[1].startswith("Reply STOP to unsubscribe.")
    assert told[2].startswith("You have successfully been re-subscribed")
    assert len(told) == 3, "neither a second STOP nor a START of one who is in is confirmed"
    assert client.messages.create(to=ADA, from_=PHARMACY, body="welcome back").status == "queued"


def test_a_reply_to_one_who_has_stopped_fails(sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/twilio/sms"] = "<Response><Message>Sorry to see you go.</Message></Response>"
    ada = sandbox.phone(ADA)
    ada.texts("STOP", to=PHARMACY)
    sandbox.settle()
    assert len(ada.inbox) == 1
    assert ada.inbox[0].from_carrier


def test_receipts_may_be_lost(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.receipts = Receipts(delay=0, lost=1)
    sid = client.messages.create(to=ADA, from_=PHARMACY, body="x", status_callback=f"{pharmacy.base}/s").sid
    sandbox.settle()
    assert pharmacy.heard == []
    assert client.messages(sid).fetch().status == "delivered"


def test_receipts_may_come_twice_and_in_the_wrong_order(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.receipts = Receipts(delay=0, duplicated=True, shuffled=True)
    client.messages.create(to=ADA, from_=PHARMACY, body="x", status_callback=f"{pharmacy.base}/s")
    sandbox.settle()
    assert pharmacy.statuses("/s") == ["delivered", "delivered", "sent", "sent"]


def test_receipts_may_come_late(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.receipts = Receipts(delay=0, late=3600)
    client.messages.create(to=ADA, from_=PHARMACY, body="x", status_callback=f"{pharmacy.base}/s")
    sandbox.settle()
    assert pharmacy.heard == []
    assert len(sandbox.phone(ADA).inbox) == 1
    sandbox.settle(late=True)
    assert pharmacy.statuses("/s") == ["sent", "delivered"]


def test_settling_skips_delays_and_keeps_their_order(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.receipts = Receipts(delay=3600)
    for words in ("first", "second", "third"):
        client.messages.create(to=ADA, from_=PHARMACY, body=words, status_callback=f"{pharmacy.base}/{words}")
    assert sandbox.phone(ADA).inbox == []
    sandbox.settle()
    assert [text.body for text in sandbox.phone(ADA).inbox] == ["first", "second", "third"]
    assert pharmacy.statuses("/second") == ["sent", "delivered"]


def test_a_retry_of_twilio_brings_the_same_text_again(sandbox: Sandbox, pharmacy: Service) -> None:
    sid = sandbox.phone(ADA).texts("PUMP", to=PHARMACY)
    sandbox.settle()
    sandbox.repeat(sid)
    sandbox.settle()
    assert [heard["MessageSid"] for heard in pharmacy.at("/twilio/sms")] == [sid, sid]
    assert len(sandbox.phone(ADA).thread) == 1


def test_a_picture_comes_with_its_address(sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.phone(ADA).texts("my site", to=PHARMACY, media=("https://h.example/site.jpg",))
    sandbox.settle()
    [heard] = pharmacy.at("/twilio/sms")
    assert (heard["NumMedia"], heard["MediaUrl0"]) == ("1", "https://h.example/site.jpg")


def test_a_sender_lets_out_so_many_segments_a_second(client: Client, sandbox: Sandbox, pharmacy: Service) -> None:
    sandbox.rates = Rates(segments=10)
    for number in range(3):
        client.messages.create(to=ADA, from_=PHARMACY, body=f"{number}" * 200)
    ada, book = sandbox.phone(ADA), sandbox.book
    with book.changed:
        assert book.changed.wait_for(lambda: len(ada.inbox) == 1, timeout=10)
        assert book.changed.wait_for(lambda: len(ada.inbox) == 3, timeout=10)
    assert [text.body[0] for text in ada.inbox] == ["0", "1", "2"]

    sandbox.rates = Rates(segments=0.001)
    for _ in range(37):
        sid = client.messages.create(
            to=ADA, from_="+13125550199", body="x", validity_period=100, status_callback=f"{pharmacy.base}/s"
        ).sid
    with pytest.raises(TwilioRestException) as refusal:
        client.messages.create(to=ADA, from_="+13125550199", body="x")
    assert refusal.value.code == 21611, "ten hours are waiting"
    sandbox.settle()
    assert client.messages(sid).fetch().error_code == 30036
    assert pharmacy.statuses("/s").count("failed") == 36


def test_lists_are_newest_first_and_every_page_is_found_by_its_cursor(client: Client, sandbox: Sandbox) -> None:
    sids = [
        client.messages.create(to=to, from_=PHARMACY, body=f"{number}").sid for number in range(5) for to in (ADA, NIA)
    ]
    sandbox.settle()
    assert [one.sid for one in client.messages.list(page_size=3)] == sids[::-1]
    assert [one.sid for one in client.messages.list(to=NIA, page_size=2)] == sids[1::2][::-1]
    assert client.messages.list(to=BO) == []
    assert client.messages.list(from_=NIA) == []
    page = client.messages.page(page_size=4)
    sandbox.phone(BO).texts("a new one on top", to=PHARMACY)
    following = page.next_page()
    assert [one.sid for one in following] == sids[::-1][4:8], "a new text does not push others over the edge"


def test_texts_are_found_by_when_they_were_sent(
    client: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in ("2026-03-01T23:00:00Z", "2026-03-02T01:00:00Z", "2026-03-02T09:00:00Z"):
        monkeypatch.setenv("NOTIFIER_CLOCK", f"{hour}@0,0")
        client.messages.create(to=ADA, from_=PHARMACY, body=hour)
        sandbox.settle()

    def found(**when: object) -> list[str]:
        return [one.body[8:13] for one in client.messages.list(**when)]

    assert found(date_sent=datetime(2026, 3, 2).date()) == ["02T09", "02T01"]  # noqa: DTZ001 - only its date is meant
    assert found(date_sent_after=datetime(2026, 3, 2, 1, tzinfo=UTC)) == ["02T09", "02T01"]
    assert found(date_sent_after=datetime(2026, 3, 2, 1, 0, 1, tzinfo=UTC)) == ["02T09"]
    assert found(date_sent_before=datetime(2026, 3, 1, 23, tzinfo=UTC)) == ["01T23"]


def test_a_text_can_be_redacted_and_deleted_and_its_reader_keeps_it(client: Client, sandbox: Sandbox) -> None:
    sid = client.messages.create(to=ADA, from_=PHARMACY, body="secret").sid
    sandbox.settle()
    sandbox.receipts = Receipts(delay=3600)
    on_its_way = client.messages.create(to=NIA, from_=PHARMACY, body="on its way")
    with pytest.raises(TwilioRestException) as refusal:
        client.messages(on_its_way.sid).delete()
    assert refusal.value.status == 409
    sandbox.settle()
    assert client.messages(sid).update(body="").body == ""
    assert client.messages(sid).delete()
    with pytest.raises(TwilioRestException) as refusal:
        client.messages(sid).fetch()
    assert (refusal.value.status, refusal.value.code) == (404, 20404)
    assert sandbox.phone(ADA).inbox[0].body == "secret"


def test_a_scheduled_text_goes_when_its_time_has_come_unless_it_is_called_back(
    client: Client, sandbox: Sandbox, pharmacy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_CLOCK", "2026-03-01T08:00:00Z@0,0")
    sandbox.own(PHARMACY)
    service_sid = "MG" + "1" * 32
    order = {"to": ADA, "messaging_service_sid": service_sid, "schedule_type": "fixed"}
    with pytest.raises(TwilioRestException):
        client.messages.create(body="too soon", send_at=datetime(2026, 3, 1, 8, 5, tzinfo=UTC), **order)
    kept, recalled = (
        client.messages.create(
            body=words, send_at=datetime(2026, 3, 1, 9, tzinfo=UTC), status_callback=f"{pharmacy.base}/{words}", **order
        )
        for words in ("kept", "recalled")
    )
    assert kept.status == "scheduled"
    assert kept.from_ is None
    assert client.messages(recalled.sid).update(status="canceled").status == "canceled"
    sandbox.settle()
    assert sandbox.phone(ADA).inbox == []
    monkeypatch.setenv("NOTIFIER_CLOCK", "2026-03-01T09:00:00Z@0,0")
    sandbox.settle()
    assert [text.body for text in sandbox.phone(ADA).inbox] == ["kept"]
    assert pharmacy.statuses("/kept") == ["queued", "sent", "delivered"]
    assert pharmacy.statuses("/recalled") == ["canceled"]


def test_lookup_knows_a_landline(client: Client, sandbox: Sandbox) -> None:
    def line_type(number: str) -> str:
        found = client.lookups.v2.phone_numbers(number).fetch(fields="line_type_intelligence")
        return found.line_type_intelligence["type"]

    sandbox.phone(NIA).mode = "landline"
    assert (line_type(ADA), line_type(NIA)) == ("mobile", "landline")


def test_the_account_and_its_numbers_can_be_asked_for(client: Client, sandbox: Sandbox) -> None:
    assert client.api.accounts(SID).fetch().status == "active"
    assert client.incoming_phone_numbers.list() == []
    client.messages.create(to=ADA, from_=PHARMACY, body="x")
    [number] = client.incoming_phone_numbers.list()
    assert number.phone_number == PHARMACY
    assert client.incoming_phone_numbers(number.sid).fetch().friendly_name == "(503) 555-0199"


def test_a_second_sandbox_goes_on_where_the_first_stopped(pharmacy: Service, tmp_path: object) -> None:
    file = f"{tmp_path}/state.db"
    with sandbox_for(pharmacy, state_file=file) as first, client_of(first) as client:
        client.messages.create(to=ADA, from_=PHARMACY, body="before")
        first.settle()
        first.phone(ADA).texts("STOP")
        first.phone(NIA).mode = "off"
        first.settle()
        before = [(text.sid, text.at) for text in first.phone(ADA).thread]
    with sandbox_for(pharmacy, state_file=file) as second, client_of(second) as client:
        assert [(text.sid, text.at) for text in second.phone(ADA).thread] == before
        assert second.phone(NIA).mode == "off"
        with pytest.raises(TwilioRestException) as refusal:
            client.messages.create(to=ADA, from_=PHARMACY, body="after")
        assert refusal.value.code == 21610


@pytest.mark.parametrize(
    ("url", "voice", "signed"),
    [
        ("https://ann:pw@h.example/p?a=%2F~b#rc=2", False, "https://h.example/p?a=%2F~b"),
        ("https://h.example:8443/p", False, "https://h.example:8443/p"),
        ("https://h.example:8443/p", True, "https://h.example/p"),
        ("http://h.example:8080/p?", True, "http://h.example:8080/p"),
    ],
)
def test_what_is_signed_is_the_address_without_user_fragment_and_voice_port(url: str, voice: bool, signed: str) -> None:
    assert signed_url(url, voice=voice) == signed


def test_the_fragment_says_how_patient_to_be_within_twilios_limits() -> None:
    assert Overrides.of("https://h/p") == Overrides()
    assert Overrides.of("https://h/p#ct=200&rt=99999&rc=9&rp=5xx,rt") == Overrides(
        connect=0.2, read=15.0, retries=5, policy=frozenset({"5xx", "rt"})
    )


@pytest.mark.parametrize(
    ("body", "count"), [("a" * 160, 1), ("a" * 161, 2), ("€" * 81, 2), ("ñ" * 160, 1), ("í" * 70, 1), ("í" * 71, 2)]
)
def test_a_text_costs_as_many_segments_as_twilio_counts(body: str, count: int) -> None:
    assert segments(body) == count
