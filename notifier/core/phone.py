"""A conversation on the phone: what a key or a word means at each of its steps, and when to stop asking. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

PATIENCE = 3  # wrong keys, or words that nobody could read, before a person helps or the call ends
SILENCES = 2  # said once, and once more
REPEATS = 9  # how often the same may be asked for again: then the call ends kindly
YES = frozenset({"yes", "yeah", "yep", "speaking", "si", "sí", "claro", "correct", "right"})
NO = frozenset({"no", "nope", "wrong"})


class Unreached(StrEnum):
    """What became of a call that did not reach whom it was for."""

    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"
    MACHINE = "machine"
    NOBODY = "nobody"
    SOMEBODY_ELSE = "somebody_else"


WHY = {
    Unreached.BUSY: "call: busy",
    Unreached.NO_ANSWER: "call: no-answer",
    Unreached.FAILED: "the call could not be put through",
    Unreached.CANCELED: "the call was cancelled",
    Unreached.MACHINE: "a machine answered",
    Unreached.NOBODY: "nobody pressed a key",
    Unreached.SOMEBODY_ELSE: "somebody else took the call",
}


@dataclass(frozen=True)
class Voice:
    """How one language is spoken."""

    voice: str
    code: str
    pace: str


@dataclass(frozen=True)
class Again:
    """When a call that reached nobody is made again, and how many calls there are in all."""

    after: timedelta
    calls: int


@dataclass(frozen=True)
class Manner:
    """How we call."""

    ring_seconds: int
    staff_ring_seconds: int
    key_seconds: int
    voices: Mapping[str, Voice]
    unreached: Mapping[Unreached, Again]


class Step(StrEnum):
    """Where a conversation stands: what was asked last."""

    IDENTITY = "identity"  # ours: are you the person?
    WORDS = "words"  # ours: what the call is about
    MENU = "menu"  # theirs: what is it about?
    MORE = "more"  # theirs: say it
    CONFIRM = "confirm"  # "I heard ..."
    PAGE = "page"  # ours, to staff
    OFFER = "offer"  # ours, to staff: be connected now?
    REACHED = "reached"  # ours, to staff: did you speak?


class Move(StrEnum):
    """What follows."""

    PROCEED = "proceed"  # they are the right person: to the words
    OTHER = "other"  # somebody else took the call
    TELL = "tell"  # a key that stands for a word, or the words themselves
    HEAR = "hear"  # words to be read back first
    PERSON = "person"
    STOP = "stop"
    MORE = "more"
    AGREED = "agreed"  # what was read back is right, or nobody says that it is not
    RETRY = "retry"  # what was read back is wrong
    TAKE = "take"
    PASS = "pass"  # noqa: S105  on a ticket
    DIAL = "dial"
    DID_SPEAK = "did_speak"
    NOT_REACHED = "not_reached"
    AGAIN = "again"  # the same once more
    END = "end"  # enough: kindly


@dataclass(frozen=True)
class Entry:
    """What came back from a step: a key, or words, or neither; and how often the step was asked before in vain."""

    key: str = ""
    words: str = ""
    silences: int = 0
    wrong: int = 0
    repeats: int = 0

    @property
    def is_silence(self) -> bool:
        """Nothing was pressed or said."""
        return not self.key and not self.words


@dataclass(frozen=True)
class Turn:
    """The move, the word that it stands for, and the counts for the next time the step is asked."""

    move: Move
    word: str = ""
    silences: int = 0
    wrong: int = 0
    repeats: int = 0


PERSON_WORD, STOP_WORD = "CALL ME", "STOP"
DELIVERY_WORD = "where is my delivery"
_KEYS: Mapping[Step, Mapping[str, Move]] = {
    Step.IDENTITY: {"1": Move.PROCEED, "2": Move.OTHER, "0": Move.PERSON, "8": Move.STOP, "9": Move.AGAIN},
    Step.WORDS: {"0": Move.PERSON, "8": Move.STOP, "9": Move.AGAIN},
    Step.MENU: {"0": Move.PERSON, "2": Move.MORE, "9": Move.AGAIN},
    Step.MORE: {"0": Move.PERSON, "9": Move.AGAIN},
    Step.CONFIRM: {"1": Move.AGREED, "2": Move.RETRY, "0": Move.PERSON, "9": Move.AGAIN},
    Step.PAGE: {"1": Move.TAKE, "2": Move.PASS, "9": Move.AGAIN},
    Step.OFFER: {"1": Move.DIAL, "9": Move.AGAIN},
    Step.REACHED: {"1": Move.DID_SPEAK, "2": Move.NOT_REACHED, "9": Move.AGAIN},
}


def turn(step: Step, entry: Entry, meanings: Mapping[str, str] | None = None) -> Turn:
    """What follows from an entry. `meanings`: what the keys of this message stand for."""
    if entry.is_silence:
        return _silence(step, entry)
    word = (meanings or {}).get(entry.key, "")
    if step is Step.MENU and entry.key == "1":
        word = DELIVERY_WORD
    if word and entry.key:
        return Turn(Move.TELL, word)
    move = _KEYS[step].get(entry.key) if entry.key else _spoken(step, entry.words)
    match move:
        case None:
            return _wrong(step, entry)
        case Move.AGAIN:
            return _again(entry)
        case Move.PERSON:
            return Turn(move, PERSON_WORD)
        case Move.STOP:
            return Turn(move, STOP_WORD)
        case Move.HEAR:
            return Turn(move, entry.words)
    return Turn(move)


def _spoken(step: Step, words: str) -> Move | None:
    """What words mean where a yes or a no was asked for; elsewhere they are read back."""
    if step in (Step.WORDS, Step.MENU, Step.MORE):
        return Move.HEAR
    first = re.findall(r"\w+", words.lower())[:1]
    yes, no = {*first} & YES, {*first} & NO
    if step is Step.IDENTITY:
        return Move.PROCEED if yes else Move.OTHER if no else None
    if step is Step.CONFIRM:
        return Move.AGREED if yes else Move.RETRY if no else None
    return None


def _silence(step: Step, entry: Entry) -> Turn:
    if step is Step.CONFIRM:
        return Turn(Move.AGREED)  # what was said is kept, whoever has put the phone down
    if entry.silences + 1 >= SILENCES:
        return Turn(Move.END)
    return Turn(Move.AGAIN, silences=entry.silences + 1, wrong=entry.wrong, repeats=entry.repeats)


def _wrong(step: Step, entry: Entry) -> Turn:
    if entry.wrong + 1 < PATIENCE:
        return Turn(Move.AGAIN, silences=entry.silences, wrong=entry.wrong + 1, repeats=entry.repeats)
    if step is Step.CONFIRM:
        return Turn(Move.AGREED)
    return Turn(Move.PERSON, PERSON_WORD) if step in (Step.MENU, Step.MORE) else Turn(Move.END)


def _again(entry: Entry) -> Turn:
    if entry.repeats + 1 > REPEATS:
        return Turn(Move.END)
    return Turn(Move.AGAIN, silences=entry.silences, wrong=entry.wrong, repeats=entry.repeats + 1)
