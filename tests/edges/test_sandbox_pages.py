"""The pocket phone as a page and as JSON: what a person sees, what a script may do."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from notifier.errors import Misconfigured
from notifier.sandbox import Sandbox, desk
from notifier.sandbox.pages import keep_numbers_whole
from tests.edges.sandbox_world import ADA, BO, NIA, PHARMACY, SID, TOKEN, Service, client_of, sandbox_for, service

PEOPLE = [
    {"number": ADA, "name": "Ada <b>Example</b>", "role": "patient", "language": "en", "note": "day 4"},
    {"number": "503-555-0112", "name": "Bo Standby", "role": "nurse", "note": "backup"},
    {"number": NIA, "name": "Nia Nurse", "role": "nurse", "note": "on call"},
    {"number": PHARMACY, "name": "Pharmko", "role": "pharmacy"},
]


@pytest.fixture
def pharmacy() -> Iterator[Service]:
    with service() as one:
        yield one


@pytest.fixture
def sandbox(pharmacy: Service) -> Iterator[Sandbox]:
    with sandbox_for(pharmacy) as one:
        yield one


@pytest.fixture
def web(sandbox: Sandbox) -> Iterator["Web"]:
    with requests.Session() as session:
        yield Web(session, sandbox.url)


class Web:
    """A browser without a script, and a script without a browser."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self.session, self.url = session, url

    def page(self, phone: str = "") -> str:
        answer = self.session.get(f"{self.url}/", params={"phone": phone} if phone else {})
        assert answer.status_code == 200
        return answer.text

    def json(self, method: str, path: str, body: object = None) -> dict:
        answer = self.session.request(method, self.url + path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else {}


def test_an_empty_desk_says_what_will_lie_there(web: Web) -> None:
    assert "No phone yet" in web.page()


def test_the_desk_shows_the_chosen_phone_and_the_nurse_on_call(web: Web, sandbox: Sandbox) -> None:
    web.json("PUT", "/sandbox/people", PEOPLE)
    page = web.page()
    assert page.count('class="set') == 3
    assert "Ada &lt;b&gt;Example&lt;/b&gt;" in page
    assert page.index("Nia Nurse <small>") < page.index("Bo Standby <small>"), "who is on call lies beside the patient"
    assert 'href="/?phone=%2B15035550199"' not in page, "the pharmacy itself has no pocket"
    assert web.page(BO).index("Bo Standby <small>") < web.page(BO).index("Nia Nurse <small>")


def test_a_nurse_knows_by_whom_she_is_paged(web: Web, sandbox: Sandbox) -> None:
    web.json("PUT", "/sandbox/people", PEOPLE[:1])
    with client_of(sandbox) as client:
        client.messages.create(to=ADA, from_="+15035550177", body="Homeward: Your box comes today.")
        client.messages.create(to=BO, from_="+15035550177", body="Homeward #4 URGENT nurse. Reply A to take it.")
    web.json("POST", "/sandbox/settle")
    assert '<span class="strong">Homeward</span>' in web.page(BO).split(f"phones/{BO.replace('+', '%2B')}/call")[0]


def test_a_landline_offers_no_texting(web: Web, sandbox: Sandbox) -> None:
    web.json("PUT", "/sandbox/people", PEOPLE[:1])
    sandbox.phone(ADA).mode = "landline"
    page = web.page()
    assert "A landline cannot text" in page
    assert 'aria-label="Ready answers"' not in page


def test_a_new_text_is_counted_until_somebody_looks(web: Web, sandbox: Sandbox) -> None:
    web.json("PUT", "/sandbox/people", PEOPLE[:1])
    with client_of(sandbox) as client:
        client.messages.create(to=ADA, from_=PHARMACY, body="Call 800-555-0100 & rest.")
        client.messages.create(to=BO, from_=PHARMACY, body="A stranger's phone appears as soon as it is texted.")
    web.json("POST", "/sandbox/settle")
    unread = {one["number"]: one["unread"] for one in web.json("GET", "/sandbox/phones")["phones"]}
    assert unread == {ADA: 1, BO: 1}
    page = web.page()
    assert 'Call <span class="tel">800-555-0100</span> &amp; rest.' in page
    assert [one["unread"] for one in web.json("GET", "/sandbox/phones")["phones"]] == [0, 0]


def test_without_a_script_the_reply_is_a_form(web: Web, sandbox: Sandbox, pharmacy: Service) -> None:
    with client_of(sandbox) as client:
        client.messages.create(to=ADA, from_=PHARMACY, body="Pharmko: How are you? Reply OK or NOT OK.")
    sandbox.settle()
    page = web.page(ADA)
    assert page.index('value="OK"') < page.index('value="NOT OK"') < page.index('value="FEVER"')
    answer = web.session.post(
        f"{web.url}/sandbox/phones/%2B15035550101/texts", data={"word": "FEVER"}, headers={"Referer": f"{web.url}/?x"}
    )
    assert answer.url == f"{web.url}/?x"
    sandbox.settle()
    assert pharmacy.at("/twilio/sms")[0]["Body"] == "FEVER"


def test_a_script_texts_takes_a_call_and_presses(web: Web, sandbox: Sandbox, pharmacy: Service) -> None:
    pharmacy.says["/page"] = (
        '<Response><Gather numDigits="1" action="/pressed"><Say>Press 1 to take it. Press 2 to pass it on.</Say>'
        "</Gather></Response>"
    )
    sid = web.json("POST", f"/sandbox/phones/{NIA}/texts", {"body": "A", "to": PHARMACY})["sid"]
    assert web.json("GET", f"/sandbox/phones/{NIA}")["texts"][0]["sid"] == sid
    with client_of(sandbox) as client:
        client.calls.create(to=NIA, from_=PHARMACY, url=f"{pharmacy.base}/page")
    sandbox.settle()
    assert "is calling" in web.page(NIA)
    web.json("POST", f"/sandbox/phones/{NIA}/answer", {})
    web.json("POST", "/sandbox/settle")
    phone = web.json("GET", f"/sandbox/phones/{NIA}")
    assert phone["heard"] == ["Press 1 to take it.", "Press 2 to pass it on."]
    assert phone["call"]["listening"]
    page = web.page(NIA)
    assert 'class="key is-hint" type="submit" name="keys" value="1"' in page
    assert 'class="key is-offer" type="submit" name="keys" value="2"' in page
    web.json("POST", f"/sandbox/phones/{NIA}/press", {"keys": "1"})
    web.json("POST", "/sandbox/settle")
    assert pharmacy.at("/pressed")[0]["Digits"] == "1"
    assert web.json("GET", f"/sandbox/phones/{NIA}")["call"] is None
    assert "Call · 0:00" in web.page(NIA)


def test_what_a_phone_cannot_do_is_said_in_words(web: Web) -> None:
    for path, body, status in (
        (f"{ADA}/answer", {}, 409),
        (f"{ADA}/hangup", {}, 409),
        (f"{ADA}/texts", {"body": "to whom?"}, 409),
        (f"{ADA}/texts", {}, 400),
        (f"{ADA}/mode", {"mode": "upside down"}, 400),
        ("banana/answer", {}, 400),
    ):
        answer = web.session.post(f"{web.url}/sandbox/phones/{path}", json=body)
        assert answer.status_code == status, path
        assert answer.json()["error"]
    assert web.session.post(f"{web.url}/sandbox/phones/{ADA}/fly", json={}).status_code == 404
    answer = web.session.put(f"{web.url}/sandbox/people", json=[{"number": "12", "name": "Nobody"}])
    assert answer.status_code == 409


def test_a_script_makes_bad_weather_and_ends_it(web: Web, sandbox: Sandbox) -> None:
    web.json("POST", "/sandbox/faults", {"weather": "429", "receipts": {"delay": 0, "lost": 1}})
    assert sandbox.weather == "429"
    assert sandbox.receipts.lost == 1
    web.json("POST", "/sandbox/faults", {"kind": "500-after", "times": 2, "to": ADA})
    web.json("DELETE", "/sandbox/faults")
    assert sandbox.weather == "fair"
    with client_of(sandbox) as client:
        client.messages.create(to=ADA, from_=PHARMACY, body="x")
    assert web.session.post(f"{web.url}/sandbox/faults", json={"weather": "hail"}).status_code == 400
    [text] = web.json("GET", "/sandbox/messages")["messages"]
    assert (text["to"], text["direction"]) == (ADA, "outbound-api")
    assert web.json("GET", "/sandbox/calls") == {"calls": []}


def test_a_page_of_another_site_may_not_touch_the_phones(web: Web) -> None:
    answer = web.session.post(
        f"{web.url}/sandbox/phones/{ADA}/mode", json={"mode": "off"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


def test_the_page_brings_its_own_style_and_script_and_no_other_may_run(web: Web) -> None:
    policy = web.session.get(f"{web.url}/").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "style=" not in web.page()
    assert "<script>" not in web.page()
    for name in ("console.css", "phone.css", "phone.js", "favicon.svg"):
        assert web.session.get(f"{web.url}/static/{name}").status_code == 200, name
    assert web.session.get(f"{web.url}/static/..%2Fdesk.py").status_code == 404


def test_the_stream_tells_of_each_change_and_ends_with_the_sandbox(pharmacy: Service) -> None:
    with sandbox_for(pharmacy) as sandbox, requests.Session() as session:
        stream = session.get(f"{sandbox.url}/sandbox/events", stream=True, timeout=10)
        lines = (line for line in stream.iter_lines(chunk_size=1) if line.startswith(b"data:"))
        first = next(lines)
        sandbox.phone(ADA).mode = "off"
        assert next(lines) != first
        sandbox.stopping.set()
        with sandbox.book.changed:
            sandbox.book.changed.notify_all()
        assert list(lines) == []
        stream.close()


def test_a_port_that_is_taken_is_named(sandbox: Sandbox) -> None:
    second = Sandbox(SID, TOKEN, port=sandbox.port)
    with pytest.raises(Misconfigured, match=f"Port {sandbox.port} on 127.0.0.1 cannot be used"):
        second.start()
    second.stop()


def test_serving_ends_with_a_signal(tmp_path: Path) -> None:
    program = (
        "from notifier.sandbox.serve import serve\n"
        f"serve(port=0, account_sid='{SID}', auth_token='t', public_base_url='', numbers=['{PHARMACY}'],"
        f" state_file='{tmp_path}/state.db', ready=lambda url: print(url, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert requests.get(url, timeout=5).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("last", "role", "language", "first"),
    [
        ("Pharmko: Did your box come? Reply OK, MISSING or DAMAGED.", "patient", "en", ["OK", "MISSING", "DAMAGED"]),
        ("Responda BIEN o MAL, o escriba que pasa.", "patient", "es", ["BIEN", "MAL", "FIEBRE"]),
        ("", "caregiver", "es-US", ["FIEBRE", "FALTA", "BIEN"]),
        ("Pharmko #12 urgent nurse. Reply A to take it, P to pass.", "nurse", "en", ["A", "P"]),
        ("Open: #12, #14. Reply A and a number to take one.", "nurse", "en", ["A 12", "A 14", "A"]),
        ("IN AN EMERGENCY CALL 911.", "patient", "en", ["FEVER", "MISSING", "OK"]),
    ],
)
def test_ready_answers_fit_the_last_text(last: str, role: str, language: str, first: list[str]) -> None:
    answers = desk.ready_answers(last, role, language)
    assert list(answers[: len(first)]) == first
    assert len(answers) == len(set(answers)) <= 6


def test_the_keys_that_are_offered_light_up() -> None:
    assert desk.offered_keys(["To take it, press 1.", "To talk now, press zero.", "Press star."]) == ("1", "0", "*")
    assert desk.offered_keys(["Para tomarlo, oprima el dos.", "Press the button."]) == ("2",)


def test_a_phone_shows_the_time_of_where_it_is() -> None:
    at, now = datetime(2026, 3, 8, 10, 30, tzinfo=UTC), datetime(2026, 3, 9, 12, tzinfo=UTC)
    assert desk.moment_of(at, "America/Los_Angeles", now) == "Yesterday 3:30 AM", "the clocks went forward that night"
    assert desk.moment_of(now, "America/Chicago", now) == "Today 7:00 AM"
    assert desk.moment_of(datetime(2026, 3, 1, 20, tzinfo=UTC), "UTC", now) == "Sun, Mar 1 8:00 PM"


def test_a_number_never_breaks_in_two() -> None:
    assert keep_numbers_whole("<i> 800-555-0100.") == '&lt;i&gt; <span class="tel">800-555-0100</span>.'
