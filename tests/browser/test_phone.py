"""The pocket phone in a real browser: what a person sees come, says, presses and hears."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from notifier.sandbox import Person, Sandbox
from tests.edges.sandbox_world import ADA, BO, NIA, PHARMACY, Service, client_of, sandbox_for, service

Window = Callable[..., Page]
PAGE = (
    '<Response><Gather numDigits="1" timeout="60" action="/pressed">'
    "<Say>An urgent ticket waits. Press 1 to take it.</Say></Gather></Response>"
)


@pytest.fixture
def pharmacy() -> Iterator[Service]:
    with service() as one:
        one.says["/twilio/sms"] = lambda form: f"<Response><Message>We got {form['Body']}.</Message></Response>"
        one.says["/page"] = PAGE
        one.says["/pressed"] = "<Response><Say>The ticket is yours.</Say></Response>"
        yield one


@pytest.fixture
def sandbox(pharmacy: Service) -> Iterator[Sandbox]:
    with sandbox_for(pharmacy) as one:
        one.introduce(
            [
                Person(ADA, "Ada Example", "patient", note="day 4"),
                Person(NIA, "Nia Nurse", "nurse", note="on call"),
                Person(BO, "Bo Standby", "nurse", note="backup"),
                Person(PHARMACY, "Pharmko", "pharmacy"),
            ]
        )
        yield one


def opened(window: Window, sandbox: Sandbox, **size: int) -> Page:
    """The page, once it is live."""
    page = window(**size)
    page.goto(sandbox.url)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def test_ada_reads_answers_and_keeps_what_she_was_typing(window: Window, sandbox: Sandbox) -> None:
    page = opened(window, sandbox)
    phone = page.get_by_role("region", name="Ada Example")
    with client_of(sandbox) as client:
        client.messages.create(to=ADA, from_=PHARMACY, body="Did your box come? Reply OK or DAMAGED.")
        expect(phone.get_by_text("Did your box come?")).to_be_visible()
        box = phone.get_by_label("Text message")
        box.press_sequentially("all there")
        client.messages.create(to=ADA, from_=PHARMACY, body="A second text")
        expect(phone.get_by_text("A second text")).to_be_visible()
    expect(box).to_have_value("all there")
    expect(box).to_be_focused()
    box.press("Enter")
    expect(phone.get_by_text("We got all there.")).to_be_visible()
    expect(box).to_have_value("")
    phone.get_by_role("button", name="FEVER").click()
    expect(phone.get_by_text("We got FEVER.")).to_be_visible()


def test_a_nurse_takes_a_ticket_on_the_keypad(window: Window, sandbox: Sandbox, pharmacy: Service) -> None:
    page = opened(window, sandbox)
    phone = page.get_by_role("region", name="Nia Nurse")
    with client_of(sandbox) as client:
        client.calls.create(to=NIA, from_=PHARMACY, url=f"{pharmacy.base}/page")
    expect(phone.get_by_text("is calling")).to_be_visible()
    phone.get_by_role("button", name="Answer the call").click()
    expect(phone.get_by_text("Press 1 to take it.")).to_be_visible()
    phone.get_by_role("button", name="1", exact=True).click()
    phone.get_by_text("Call · 0:").click()
    expect(phone.get_by_text("The ticket is yours.")).to_be_visible()
    assert pharmacy.at("/pressed")[0]["Digits"] == "1"


def test_a_call_is_spoken_by_the_browsers_own_voice_once_somebody_asks_for_it(
    window: Window, sandbox: Sandbox, pharmacy: Service
) -> None:
    page = opened(window, sandbox)
    page.evaluate(
        "() => { window.said = []; speechSynthesis.speak = (one) => window.said.push([one.lang, one.text]); }"
    )
    phone = page.get_by_role("region", name="Nia Nurse")
    with client_of(sandbox) as client:
        client.calls.create(to=NIA, from_=PHARMACY, url=f"{pharmacy.base}/page")
    page.get_by_label("Speak calls aloud").check()
    phone.get_by_role("button", name="Answer the call").click()
    expect(phone.get_by_text("Press 1 to take it.")).to_be_visible()
    page.wait_for_function("window.said.length >= 2")
    said = page.evaluate("window.said")
    assert ["en-US", "Press 1 to take it."] in said
    assert len(said) == len({text for _, text in said}), "each sentence once"


def test_another_phone_is_chosen_switched_off_and_left_again(window: Window, sandbox: Sandbox) -> None:
    page = opened(window, sandbox)
    page.get_by_role("link", name="Bo Standby").click()
    phone = page.get_by_role("region", name="Bo Standby")
    phone.get_by_label("What this phone does").select_option("off")
    expect(phone.get_by_text("This phone is switched off.")).to_be_visible()
    assert sandbox.phone(BO).mode == "off"
    page.go_back()
    expect(page.locator(".person[aria-current]")).to_contain_text("Ada Example")


def test_on_a_real_phone_the_page_is_the_phone(window: Window, sandbox: Sandbox) -> None:
    page = opened(window, sandbox, width=390, height=844)
    expect(page.get_by_role("region", name="Ada Example")).to_be_visible()
    expect(page.locator(".handset:visible")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="Nia Nurse").click()
    expect(page.locator(".person[aria-current]")).to_contain_text("Nia Nurse")
    expect(page.locator(".handset:visible")).to_have_count(1)


def test_a_page_that_has_lost_the_sandbox_says_so(window: Window, pharmacy: Service) -> None:
    with sandbox_for(pharmacy) as sandbox:
        page = opened(window, sandbox)
    expect(page.get_by_text("Not live, trying again")).to_be_visible()
