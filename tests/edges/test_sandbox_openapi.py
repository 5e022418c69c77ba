"""The sandbox's answers held against Twilio's own description of its API, where that lies beside the checkout."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import requests

from notifier.sandbox import Sandbox
from tests.edges.sandbox_world import ADA, NIA, PHARMACY, SID, TOKEN, Service, client_of, sandbox_for, service

DESCRIPTION = Path(__file__).resolve().parents[3] / "shared" / "twilio_openapi_subset.json"

pytestmark = pytest.mark.skipif(
    not DESCRIPTION.is_file(), reason="Twilio's OpenAPI description does not lie beside the checkout"
)


@pytest.fixture
def pharmacy() -> Iterator[Service]:
    with service() as one:
        one.says["/page"] = '<Response><Say>Say it after the tone.</Say><Record action="/done"/></Response>'
        yield one


@pytest.fixture
def sandbox(pharmacy: Service) -> Iterator[Sandbox]:
    with sandbox_for(pharmacy) as one:
        yield one


def strict(schema: object) -> object:
    """The schema as JSON Schema has it: nullable said plainly, and nothing that Twilio does not describe let pass."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: strict(value) for key, value in schema.items() if key not in ("nullable", "format")}
    if "properties" in schema and isinstance(schema["properties"], dict):
        plain["additionalProperties"] = False
        plain["required"] = sorted(schema["properties"])
    if schema.get("nullable"):
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


class Description:
    """Twilio's description: says of each answer whether it is one."""

    def __init__(self) -> None:
        described = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
        self.paths = described["paths"]
        self.components = strict(described["components"])

    def check(self, answer: requests.Response) -> str:
        """Fails unless this answer is described; returns which operation it was."""
        path = answer.request.path_url.partition("?")[0]
        template = min((one for one in self.paths if self.matches(one, path)), key=lambda one: one.count("{"))
        responses = self.paths[template][answer.request.method.lower()]["responses"]
        assert str(answer.status_code) in responses, (template, answer.status_code, answer.text)
        content = responses[str(answer.status_code)].get("content")
        if content:
            schema = strict(content["application/json"]["schema"]) | {"components": self.components}
            jsonschema.validate(answer.json(), schema)
        else:
            assert answer.content == b""
        assert re.fullmatch(r"RQ[0-9a-f]{32}", answer.headers["Twilio-Request-Id"])
        assert float(answer.headers["Twilio-Request-Duration"]) >= 0
        assert answer.headers["Twilio-Concurrent-Requests"].isdigit()
        return f"{answer.request.method} {template}"

    @staticmethod
    def matches(template: str, path: str) -> bool:
        return re.fullmatch(re.sub(r"\\{\w+\\}", r"[^/.]+", re.escape(template)), path) is not None


def test_every_answer_is_one_that_twilio_describes(sandbox: Sandbox, pharmacy: Service) -> None:
    description, seen = Description(), set()
    with requests.Session() as session:
        session.auth = (SID, TOKEN)
        base = f"{sandbox.url}/2010-04-01/Accounts/{SID}"

        def ask(method: str, path: str, **data: object) -> dict:
            answer = session.request(method, base + path, data=data or None)
            seen.add(description.check(answer))
            return answer.json() if answer.content else {}

        media = ask("POST", "/Messages.json", To=ADA, From=PHARMACY, Body="x", MediaUrl="https://h.example/a.jpg")
        plain = ask("POST", "/Messages.json", To=ADA, From=PHARMACY, Body="x")
        ask("POST", "/Messages.json", To=ADA, MessagingServiceSid="MG" + "1" * 32, Body="x")
        sandbox.phone(NIA).mode = "off"
        ask("POST", "/Messages.json", To=NIA, From=PHARMACY, Body="x")
        sandbox.settle()
        sandbox.phone(ADA).texts("FEVER", to=PHARMACY)
        sandbox.settle()
        ask("GET", f"/Messages/{plain['sid']}.json")
        ask("GET", "/Messages.json")
        ask("GET", "/Messages.json?PageSize=2&DateSent%3E=2020-01-01")
        [shown] = ask("GET", f"/Messages/{media['sid']}/Media.json")["media_list"]
        ask("GET", f"/Messages/{media['sid']}/Media/{shown['sid']}.json")
        ask("POST", f"/Messages/{plain['sid']}.json", Body="")
        ask("DELETE", f"/Messages/{plain['sid']}.json")

        call = ask("POST", "/Calls.json", To=ADA, From=PHARMACY, Url=f"{pharmacy.base}/page", MachineDetection="Enable")
        other = ask("POST", "/Calls.json", To=NIA, From=PHARMACY, Url=f"{pharmacy.base}/page")
        sandbox.settle()
        ask("GET", f"/Calls/{call['sid']}.json")
        sandbox.phone(ADA).answers()
        sandbox.phone(ADA).says("my line is leaking")
        ask("GET", f"/Calls/{call['sid']}.json")
        ask("GET", "/Calls.json?PageSize=1")
        [kept] = ask("GET", "/Recordings.json")["recordings"]
        ask("GET", f"/Calls/{call['sid']}/Recordings.json")
        ask("GET", f"/Recordings/{kept['sid']}.json")
        ask("DELETE", f"/Recordings/{kept['sid']}.json")
        ask("DELETE", f"/Calls/{other['sid']}.json")
        call = ask("POST", "/Calls.json", To=ADA, From=PHARMACY, Url=f"{pharmacy.base}/page")
        sandbox.settle()
        ask("POST", f"/Calls/{call['sid']}.json", Status="canceled")

        [number] = ask("GET", "/IncomingPhoneNumbers.json")["incoming_phone_numbers"]
        ask("GET", f"/IncomingPhoneNumbers/{number['sid']}.json")
        ask("POST", f"/IncomingPhoneNumbers/{number['sid']}.json", SmsUrl="https://h.example/sms")
        ask("POST", "/IncomingPhoneNumbers.json", PhoneNumber="+13125550199")
        ask("DELETE", f"/IncomingPhoneNumbers/{number['sid']}.json")
        ask("GET", ".json")
        seen.add(description.check(session.get(f"{sandbox.url}/2010-04-01/Accounts.json")))
    assert len(seen) == 23, sorted(seen)


def test_an_error_is_told_as_twilio_tells_it(sandbox: Sandbox) -> None:
    answer = requests.post(
        f"{sandbox.url}/2010-04-01/Accounts/{SID}/Messages.json", data={"To": "banana"}, auth=(SID, TOKEN), timeout=5
    )
    assert answer.json() == {
        "code": 21211,
        "message": "Invalid 'To' Phone Number: banana",
        "more_info": "https://www.twilio.com/docs/errors/21211",
        "status": 400,
    }
    for path in ("/2010-04-01/Accounts/AC0/Messages.json", "/2010-04-01/Nothing.json", "/nothing"):
        missing = requests.get(sandbox.url + path, auth=(SID, TOKEN), timeout=5)
        assert (missing.status_code, missing.json()["code"]) == (404, 20404)


def test_a_list_with_a_date_that_is_none_is_refused(sandbox: Sandbox) -> None:
    with client_of(sandbox) as client:
        client.messages.create(to=ADA, from_=PHARMACY, body="x")
    sandbox.settle()
    answer = requests.get(
        f"{sandbox.url}/2010-04-01/Accounts/{SID}/Messages.json",
        params={"DateSent>": "tomorrow"},
        auth=(SID, TOKEN),
        timeout=5,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
