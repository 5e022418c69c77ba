"""Bad days at Twilio: what the client sees, and what Twilio did all the same."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from notifier.sandbox import Rates, Sandbox
from tests.edges.sandbox_world import ADA, NIA, PHARMACY, SID, TOKEN, client_of, sandbox_for, service
from tests.servers import wait_until


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with service() as pharmacy, sandbox_for(pharmacy) as one:
        yield one


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with client_of(sandbox, seconds=0.3) as one:
        yield one


def text(client: Client, to: str = ADA) -> object:
    return client.messages.create(to=to, from_=PHARMACY, body="Your box comes today.")


@pytest.mark.parametrize(("kind", "status", "accepted"), [("429", 429, 0), ("500", 500, 0), ("500-after", 500, 1)])
def test_an_error_may_come_before_or_after_the_text_is_taken(
    client: Client, sandbox: Sandbox, kind: str, status: int, accepted: int
) -> None:
    sandbox.fault(kind)
    with pytest.raises(TwilioRestException) as refusal:
        text(client)
    assert refusal.value.status == status
    assert len(sandbox.sent) == accepted
    text(client)
    assert len(sandbox.sent) == accepted + 1, "a fault strikes once"


def test_there_is_no_other_weather(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="hail"):
        sandbox.weather = "hail"


@pytest.mark.parametrize(
    ("kind", "seen", "accepted"),
    [
        ("dropped", requests.ConnectionError, 0),
        ("dropped-after", requests.ConnectionError, 1),
        ("hang", requests.ReadTimeout, 0),
        ("answer lost", requests.ReadTimeout, 1),
        ("half a body", requests.exceptions.ChunkedEncodingError, 1),
    ],
)
def test_the_line_may_break_before_or_after_the_text_is_taken(
    client: Client, sandbox: Sandbox, kind: str, seen: type[Exception], accepted: int
) -> None:
    sandbox.weather = kind
    with pytest.raises(seen):
        text(client)
    sandbox.weather = "fair"
    sandbox.settle()
    assert len(sandbox.sent) == len(sandbox.phone(ADA).inbox) == accepted


def test_slow_is_not_lost(client: Client, sandbox: Sandbox) -> None:
    sandbox.slowness = 0.1
    sandbox.weather = "slow"
    began = time.monotonic()
    text(client)
    assert time.monotonic() - began >= 0.1


def test_each_answer_tells_how_many_are_being_given(sandbox: Sandbox) -> None:
    def told() -> str:
        url = f"{sandbox.url}/2010-04-01/Accounts/{SID}/Messages.json"
        return requests.get(url, auth=(SID, TOKEN), timeout=5).headers["Twilio-Concurrent-Requests"]

    sandbox.fault("hang")
    with client_of(sandbox, seconds=30) as client, ThreadPoolExecutor() as pool:
        hanging = pool.submit(text, client)
        wait_until(lambda: told() == "2", "another request is under way")
        sandbox.stopping.set()
        assert isinstance(hanging.exception(timeout=10), requests.ConnectionError)


def test_a_fault_may_be_meant_for_one_number_and_a_few_times(client: Client, sandbox: Sandbox) -> None:
    sandbox.fault("500", times=2, to="503-555-0111")
    text(client)
    for _ in range(2):
        assert client.messages.list(to=NIA) == [], "only creations meet it"
        with pytest.raises(TwilioRestException):
            text(client, NIA)
    text(client, NIA)
    assert [one.recipient for one in sandbox.sent] == [ADA, NIA]


def test_the_weather_spoils_lists_too(client: Client, sandbox: Sandbox) -> None:
    sandbox.weather = "500"
    with pytest.raises(TwilioException, match="Unable to fetch page"):
        client.messages.list()
    sandbox.sky.clear()
    assert client.messages.list() == []


def test_a_waiting_request_does_not_keep_the_sandbox_from_stopping() -> None:
    with service() as pharmacy, sandbox_for(pharmacy) as sandbox, client_of(sandbox, seconds=30) as client:
        sandbox.weather = "answer lost"
        sandbox.agenda.later(0.2, sandbox.stopping.set, lane="test")
        with pytest.raises(requests.ConnectionError):
            text(client)


@pytest.mark.parametrize(("code", "status"), [(21606, 400), (20003, 401), (30034, 400), (20503, 503)])
def test_any_code_may_be_the_answer(client: Client, sandbox: Sandbox, code: int, status: int) -> None:
    sandbox.fault(code, to=ADA)
    with pytest.raises(TwilioRestException) as refusal:
        text(client)
    assert (refusal.value.code, refusal.value.status) == (code, status)
    text(client)
    assert len(sandbox.sent) == 1


def test_what_comes_faster_than_the_rate_allows_is_lost_when_twilio_has_no_patience(
    client: Client, sandbox: Sandbox
) -> None:
    sandbox.rates = Rates(segments=1, calls=1, patience=1.0)
    for _ in range(5):
        text(client)
    sandbox.settle()
    assert [one.error_code for one in sandbox.sent].count(30022) == 3
    where = {"to": ADA, "from_": PHARMACY, "twiml": "<Response/>"}
    client.calls.create(**where)
    client.calls.create(**where)
    with pytest.raises(TwilioRestException) as refusal:
        client.calls.create(**where)
    assert refusal.value.status == 429
    assert len(sandbox.calls) == 2


def test_a_messaging_service_tells_its_numbers(client: Client, sandbox: Sandbox) -> None:
    sandbox.own(PHARMACY)
    client.messaging.base_url = sandbox.url
    pool = client.messaging.v1.services("MG" + "1" * 32).phone_numbers.list()
    assert [one.phone_number for one in pool] == [PHARMACY]
