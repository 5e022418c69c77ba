"""Takes the README's pictures of a demo that has just heard FEVER: `make pictures`."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUMS, QUIET
from tests.newcomer import Demo
from tests.servers import wait_until

FOLDER = Path(__file__).with_name("pictures")
OTIS, NELL = "+15035550121", "+15035550111"


def fever(demo: Demo) -> None:
    """Otis answers his check-in, and Nell is paged."""
    wait_until(lambda: "Checking in" in demo.inbox(OTIS)[-1], "Otis is asked")
    pages = len(demo.inbox(NELL))
    demo.text(OTIS, "FEVER 101.4 since last night")
    wait_until(lambda: len(demo.inbox(NELL)) > pages and "911" in demo.inbox(OTIS)[-1], "Nell is paged")


def board(page: Page, demo: Demo) -> None:
    """The console's board, once signed in."""
    page.goto(f"http://127.0.0.1:{demo.port}/")
    page.get_by_label("Work email").fill("demo@pharmko.example")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("FEVER 101.4 since last night").first.wait_for()


def phones(page: Page, demo: Demo) -> None:
    """Otis's phone beside the nurse's."""
    page.goto(f"http://127.0.0.1:{demo.port + 10}/?phone=%2B{OTIS[1:]}")
    page.get_by_text("FEVER 101.4 since last night").first.wait_for()


def main() -> None:
    """Start a demo, let it happen, take both pictures, stop."""
    FOLDER.mkdir(exist_ok=True)
    chromium = next(found for name in CHROMIUMS if (found := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo = Demo(Path(folder) / "demo")
        demo.start()
        try:
            fever(demo)
            browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
            for name, show in (("console", board), ("phone", phones)):
                page = browser.new_page(viewport={"width": 1440, "height": 860})
                show(page, demo)
                page.screenshot(path=FOLDER / f"{name}.png")
            browser.close()
        finally:
            demo.stop()


if __name__ == "__main__":
    main()
