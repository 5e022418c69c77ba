"""A real Chromium, once a run."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=10_000)  # a machine may be busy with much else
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser that `.ci/browser` finds or installs."""
    path = next((found for name in CHROMIUMS if (found := shutil.which(name))), None)
    assert path, "please install Chromium (on Debian: apt install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def shut_out(page: Page) -> list[str]:
    """What axe-core finds on this page that shuts somebody out: rule, place and why."""
    page.evaluate(AXE)
    found = page.evaluate("levels => axe.run(document, { runOnly: { type: 'tag', values: levels } })", LEVELS)
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.fixture
def window(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens windows, each of its own visitor. A script error or a breach of the content policy fails the test."""
    contexts: list[Any] = []
    troubles: list[str] = []

    def open_window(width: int = 1440, height: int = 900, **options: Any) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if "Content Security Policy" in said.text else None)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert troubles == []
