"""The rules that hold for every call of the API: tokens, problems, repeated calls, pages, the description of itself."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from jsonschema import Draft202012Validator

from notifier import access, idempotency, runtime
from notifier.core.vocabulary import Scope
from tests.edges.api_caller import wrong_fields
from tests.edges.api_pharmacy import ana, told

NOBODY = "00000000-0000-4000-8000-000000000000"
BY_HAND = {"site": "portland", "role": "coordinator", "urgency": "routine", "text": "Call the clinic back"}


# --- who may ask --------------------------------------------------------------------------------------------------


def test_without_a_token_in_force_nothing_is_told(pharmacy):
    for token in (None, "ntf_guessed", " "):
        answer = pharmacy.system(token=token).get("/patients")

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_opens_nothing(pharmacy):
    system = pharmacy.system(Scope.READ)
    assert system.get("/patients").status_code == 200

    pharmacy.revoke(system)

    assert system.get("/patients").status_code == 401


@pytest.mark.parametrize(
    ("scope", "reads", "writes", "sees_tickets", "works_tickets"),
    [
        (Scope.READ, True, False, True, False),
        (Scope.WRITE, True, True, True, False),
        (Scope.TICKETS, False, False, True, True),
        (Scope.ADMIN, True, True, True, True),
    ],
)
def test_a_token_does_what_its_scope_says_and_no_more(pharmacy, scope, reads, writes, sees_tickets, works_tickets):
    system = pharmacy.system(scope)

    statuses = [
        system.get("/patients").status_code,
        system.post("/patients", ana()).status_code,
        system.get("/tickets").status_code,
        system.post("/tickets", BY_HAND).status_code,
    ]

    allowed = [status < 400 for status in statuses]
    assert allowed == [reads, writes, sees_tickets, works_tickets]
    assert set(statuses) <= {200, 201, 403}


def test_a_token_that_may_not_is_told_which_scope_it_lacks(pharmacy):
    answer = pharmacy.system(Scope.READ).post("/patients", ana())

    assert answer.status_code == 403
    assert "write" in answer.json["detail"]
    assert 'scope="write"' in answer.headers["WWW-Authenticate"]


# --- what is refused, and in which words --------------------------------------------------------------------------


def test_an_address_that_does_not_exist_is_a_problem_too(pharmacy):
    answer = pharmacy.admin.get("/patience")

    assert answer.status_code == 404
    assert answer.json["type"].endswith("#problem-not-found")


def test_a_method_that_an_address_does_not_take_names_those_it_takes(pharmacy):
    answer = pharmacy.admin.raw("DELETE", "/patients")

    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_nobody_there_is_a_404(pharmacy):
    for path in (f"/patients/{NOBODY}", f"/tickets/{NOBODY}", f"/patients/{NOBODY}/messages", "/patients/ana"):
        assert pharmacy.admin.get(path).status_code == 404


def test_a_body_that_is_not_json_is_refused(pharmacy):
    answer = pharmacy.admin.raw("POST", "/patients", data='{"phone": +1503', content_type="application/json")

    assert answer.status_code == 400


def test_a_form_instead_of_json_is_refused(pharmacy):
    answer = pharmacy.admin.raw("POST", "/patients", data={"phone": "+15035550123"})

    assert answer.status_code == 415


def test_a_body_of_megabytes_is_refused(pharmacy):
    answer = pharmacy.admin.post("/patients", ana(given_name="A" * 1_100_000))

    assert answer.status_code == 413


def test_every_wrong_field_is_named_and_none_is_repeated(pharmacy):
    answer = pharmacy.admin.post(
        "/patients",
        ana(
            phone="503 555 0123 Ana",
            timezone="America/Portland",
            language="español",
            channel="fax",
            welcomed="yes",
            nickname="Anita",
            consents=[{"channel": "sms", "source": "intake form v3", "at": "2026-11-20T09:12:00"}],
        ),
    )

    wrong = wrong_fields(answer)
    assert set(wrong) == {"phone", "timezone", "language", "channel", "welcomed", "nickname", "consents.0.at"}
    assert "offset" in wrong["consents.0.at"]
    pointers = {error["pointer"] for error in answer.json["errors"]}
    assert "#/consents/0/at" in pointers
    for theirs in ("503 555", "Portland", "español", "fax", "Anita", "Ruiz"):
        assert theirs not in answer.text


def test_wrong_parameters_are_named(pharmacy):
    answer = pharmacy.admin.get("/tickets", limit=1001, state="asleep", colour="red", cursor="here")

    assert set(wrong_fields(answer)) == {"limit", "state", "colour", "cursor"}


def test_a_cursor_that_we_never_gave_is_refused(pharmacy):
    for cursor in ("", "%", "MjAyNg", "e30", "á", "MjAyNi0wMS0wMXxh"):
        assert set(wrong_fields(pharmacy.admin.get("/patients", cursor=cursor))) == {"cursor"}


def test_a_fault_of_ours_says_nothing_about_anybody(pharmacy):
    pharmacy.app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production
    pharmacy.spoil()

    answer = pharmacy.admin.post("/patients", ana(language=None))

    assert answer.status_code == 500
    assert "Ruiz" not in answer.text


# --- calls that are repeated --------------------------------------------------------------------------------------


def test_a_repeated_call_is_answered_in_the_same_words_and_done_once(busy_pharmacy):
    first = busy_pharmacy.admin.post("/tickets", BY_HAND, key="k")
    again = busy_pharmacy.admin.post("/tickets", BY_HAND, key="k")

    assert (first.status_code, "Idempotent-Replayed" in first.headers) == (201, False)
    assert (again.status_code, again.headers["Idempotent-Replayed"], again.data) == (201, "true", first.data)
    ticket = told(busy_pharmacy.admin.get(f"/tickets/{first.json['id']}"), 200)
    assert [event["action"] for event in ticket["events"]] == ["ticket.opened"]


def test_a_key_stands_for_one_request_only(pharmacy):
    assert pharmacy.admin.post("/patients", ana(), key="k").status_code == 201

    answer = pharmacy.admin.post("/patients", ana(external_id="P-2"), key="k")

    assert wrong_fields(answer) == {"Idempotency-Key": "was used before, for another request"}


def test_two_systems_may_choose_the_same_key(pharmacy):
    one, other = pharmacy.system(Scope.WRITE), pharmacy.system(Scope.WRITE)

    assert one.post("/patients", ana(), key="1").status_code == 201
    assert other.post("/patients", ana(external_id="P-2"), key="1").status_code == 201


def test_a_refused_call_leaves_its_key_free(pharmacy):
    assert pharmacy.admin.post("/patients", ana(site="atlantis"), key="k").status_code == 422

    assert pharmacy.admin.post("/patients", ana(), key="k").status_code == 201


def test_a_key_must_be_one_that_can_be_kept(pharmacy):
    assert "Idempotency-Key" in wrong_fields(pharmacy.admin.post("/patients", ana(), key="k" * 256))


def test_while_the_first_call_is_at_work_the_second_is_asked_to_wait(busy_pharmacy):
    system = busy_pharmacy.system(Scope.WRITE)
    with runtime.transaction() as session:  # the first call, half way
        token = access.token(session, system.token)
        idempotency.begin(session, token.id, "k", "its request", now=busy_pharmacy.clock.now)

        answer = system.post("/patients", ana(), key="k")

    assert answer.status_code == 409
    assert system.get("/patients").json["items"] == []


def test_what_is_kept_of_a_call_is_sealed(pharmacy):
    pharmacy.admin.post("/patients", ana(), key="k")

    [(request_hash, response)] = pharmacy.stored("SELECT request_hash, response FROM idempotent_call")

    assert len(request_hash) == 64
    assert b"Ruiz" not in bytes(response)


def test_ten_calls_at_once_with_one_key_make_one_patient(busy_pharmacy):
    def enrol(_: int) -> tuple[int, str]:
        answer = busy_pharmacy.another_line(busy_pharmacy.admin).post("/patients", ana(), key="k")
        return answer.status_code, answer.text

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(enrol, range(10)))

    assert {status for status, _ in answers} <= {201, 409}
    assert len({text for status, text in answers if status == 201}) == 1
    assert len(busy_pharmacy.admin.get("/patients").json["items"]) == 1


# --- bad days -----------------------------------------------------------------------------------------------------


def test_the_work_is_done_though_the_bell_is_broken(pharmacy):
    with pharmacy.without_redis():
        assert pharmacy.admin.post("/patients", ana()).status_code == 201


def test_while_the_database_is_away_the_caller_is_told_when_to_ask_again(busy_pharmacy):
    with busy_pharmacy.without_database():
        answer = busy_pharmacy.admin.get("/patients")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert busy_pharmacy.admin.get("/patients").status_code == 200


# --- pages --------------------------------------------------------------------------------------------------------


def test_a_long_list_comes_page_by_page_without_gap_or_repeat(pharmacy):
    for n in range(5):
        pharmacy.enrol(external_id=f"P-{n}", phone=f"+1503555010{n}")

    seen, cursor = [], {}
    for _ in range(3):
        page = told(pharmacy.admin.get("/patients", limit=2, **cursor), 200)
        seen += [patient["external_id"] for patient in page["items"]]
        cursor = {"cursor": page["next"]}

    assert sorted(seen) == [f"P-{n}" for n in range(5)]
    assert page["next"] is None


# --- the description of itself ------------------------------------------------------------------------------------


def test_the_description_is_whole(pharmacy):
    document = pharmacy.app.test_client().get("/api/v1/openapi.json").json

    assert document["openapi"].startswith("3.1")
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = [line.split('"')[3] for line in json.dumps(document, indent=1).splitlines() if '"$ref"' in line]
    for reference in references:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_every_call_that_the_contract_names_is_described(pharmacy):
    document = pharmacy.app.test_client().get("/api/v1/openapi.json").json
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1').replace('_id}', '}')}"
        for path, methods in document["paths"].items()
        for method in methods
    }

    assert described >= {
        "POST /patients",
        "GET /patients",
        "GET /patients/{patient}",
        "PATCH /patients/{patient}",
        "POST /patients/{patient}/plans",
        "POST /plans/{plan}/verify",
        "POST /plans/{plan}/pause",
        "POST /plans/{plan}/resume",
        "POST /plans/{plan}/end",
        "POST /plans/{plan}/deliveries",
        "PATCH /deliveries/{delivery}",
        "POST /plans/{plan}/education",
        "PATCH /education/{education}",
        "POST /plans/{plan}/events",
        "PATCH /events/{event}",
        "GET /patients/{patient}/messages",
        "GET /tickets",
        "GET /tickets/{ticket}",
        "POST /tickets",
        *(
            f"POST /tickets/{{ticket}}/{verb}"
            for verb in ("acknowledge", "assign", "note", "reply", "contact", "resolve")
        ),
    }


def test_the_docs_can_be_read_by_people_without_a_token(pharmacy):
    page = pharmacy.app.test_client().get("/api/v1/docs")

    assert page.status_code == 200
    assert "<script" not in page.text
    for words in ("Enrol a patient", "Take a ticket", "Idempotency-Key", 'id="problem-invalid"'):
        assert words in page.text
