"""A browser of one person, without a browser: it keeps cookies and sends the forms that pages drew for it."""

import re
from typing import Any

from werkzeug.test import TestResponse

from tests.clinic import Clinic

PASSWORD = "correct horse"


class Visitor:
    """Somebody at the console."""

    def __init__(self, clinic: Clinic) -> None:
        self.client = clinic.world.app.test_client()
        self.page = self.client.get("/signin")

    @property
    def text(self) -> str:
        """The page that was opened last."""
        return self.page.get_data(as_text=True)

    def opens(self, path: str) -> TestResponse:
        """Opens a page and follows where it leads."""
        self.page = self.client.get(path, follow_redirects=True)
        return self.page

    def sends(self, path: str, **fields: Any) -> TestResponse:
        """Sends a form of the page that was opened last."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.text)
        token = {"csrf_token": found[1]} if found else {}
        self.page = self.client.post(path, data={**token, **fields}, follow_redirects=True)
        return self.page

    def signs_in(self, email: str, password: str = PASSWORD) -> "Visitor":
        """Gives e-mail and password at the door."""
        self.opens("/signin")
        self.sends("/signin", email=email, password=password)
        return self
