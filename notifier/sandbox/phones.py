"""A phone as a test or a person holds it: what it received, what it can do."""

from collections.abc import Callable

from notifier.errors import Missing
from notifier.sandbox.book import Book
from notifier.sandbox.calls import Switchboard
from notifier.sandbox.records import Call, Mode, Text
from notifier.sandbox.texts import Texts


class Phone:
    """One phone. What it does returns when the service has been told and has answered."""

    def __init__(self, number: str, book: Book, texts: Texts, calls: Switchboard, settle: Callable[[], None]) -> None:
        self.number = number
        self.switchboard = calls
        self._book, self._texts, self._settle = book, texts, settle

    def __repr__(self) -> str:
        return f"Phone({self.number!r})"

    @property
    def inbox(self) -> list[Text]:
        """The texts it received, oldest first."""
        arrived = [one for one in self._book.texts.all() if one.recipient == self.number and one.arrived_at]
        return sorted(arrived, key=lambda text: text.at)

    @property
    def thread(self) -> list[Text]:
        """The texts it received and sent, oldest first."""
        mine = (one for one in self._book.texts.all() if one.sender == self.number or one.recipient == self.number)
        return sorted((one for one in mine if one.sender == self.number or one.arrived_at), key=lambda text: text.at)

    def texts(self, body: str, to: str | None = None, media: tuple[str, ...] = ()) -> str:
        """Sends a text, by default to whoever texted last; returns its MessageSid at once."""
        return self._texts.receive(self.number, body, self._who(to), media).sid

    @property
    def mode(self) -> Mode:
        """What it does when it is texted or called."""
        return self._book.handset(self.number).mode

    @mode.setter
    def mode(self, mode: Mode | str) -> None:
        self._book.handset(self.number)
        self._book.handsets.change(self.number, mode=Mode(mode))

    @property
    def failure(self) -> int | None:
        """Twilio's error code that every text to it ends with, such as 30007; None for none."""
        return self._book.handset(self.number).failure

    @failure.setter
    def failure(self, code: int | None) -> None:
        self._book.handset(self.number)
        self._book.handsets.change(self.number, failure=code)

    @property
    def history(self) -> list[Call]:
        """Every call to and from it, oldest first."""
        return [call for call in self._book.calls.all() if call.phone == self.number]

    @property
    def ringing(self) -> Call | None:
        """The call that rings now."""
        return self.switchboard.ringing(self.number)

    @property
    def call(self) -> Call | None:
        """The call it is on now, whoever began it."""
        return self.switchboard.talking(self.number)

    @property
    def heard(self) -> list[str]:
        """What was said to it on its last call, a sentence each."""
        calls = self.history
        return list(calls[-1].heard) if calls else []

    def calls(self, number: str | None = None) -> Call:
        """Calls one of our numbers, by default the last it heard from, and listens."""
        call = self.begins_call(number)
        self._settle()
        return self._book.calls[call.sid]

    def begins_call(self, number: str | None = None) -> Call:
        """Calls as `calls` does, and returns while it still rings."""
        return self.switchboard.dial_in(self.number, self._who(number))

    def answers(self, press: str = "") -> None:
        """Takes the ringing call, listens, and presses these keys if any."""
        self.switchboard.answer(self.number)
        self._settle()
        if press:
            self.press(press)

    def press(self, keys: str) -> None:
        """Presses these keys, one after another, as one complete entry."""
        self.switchboard.press(self.number, keys)
        self._settle()
        self.switchboard.end_entry(self.number)
        self._settle()

    def says(self, words: str) -> None:
        """Speaks into the call, then is silent."""
        self.switchboard.say(self.number, words)
        self._settle()
        self.switchboard.end_entry(self.number)
        self._settle()

    def waits(self) -> None:
        """Says and presses nothing until the call's patience runs out; a ringing phone rings out."""
        self.switchboard.lose_patience(self.number)
        self._settle()

    def hangs_up(self) -> None:
        """Ends the call it is on."""
        self.switchboard.hang_up(self.number)
        self._settle()

    def declines(self) -> None:
        """Turns the ringing call away."""
        self.switchboard.decline(self.number)
        self._settle()

    def _who(self, number: str | None) -> str:
        known = number or self._book.last_number_of(self.number)
        if not known:
            raise Missing("This phone has heard from nobody yet, so say which number it should reach.")
        return known
