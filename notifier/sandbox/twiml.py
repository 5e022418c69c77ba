"""TwiML as values: a document is a list of verbs, each with its attributes and what is inside it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin
from xml.etree import ElementTree

from notifier.errors import NotifierError

LARGEST = 64 * 1024


class Broken(NotifierError):
    """This document cannot be carried out; `code` is Twilio's debugger code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Twilio error {code}")
        self.code = code


@dataclass(frozen=True)
class Verb:
    """One element: Say, Gather, Dial ... `text` is all words inside it, without the marks of speech."""

    name: str
    attributes: Mapping[str, str]
    text: str
    children: tuple["Verb", ...]

    def get(self, name: str) -> str:
        """The attribute, or nothing."""
        return self.attributes.get(name, "")

    def seconds(self, name: str, default: float) -> float:
        """The attribute as a number; the default if it is not one."""
        value = self.get(name)
        return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else default

    def is_on(self, name: str) -> bool:
        """Whether the attribute says true."""
        return self.get(name).lower() == "true"

    def child(self, name: str) -> "Verb | None":
        """The first element of this name inside, or None."""
        return next((inner for inner in self.children if inner.name == name), None)

    def url(self, base: str) -> str:
        """The address in its text, taken from where the document came from."""
        return urljoin(base, self.text)

    def sentences(self) -> list[str]:
        """Its words as they are spoken, a sentence at a time."""
        return [part for part in re.split(r"(?<=[.!?])\s+", self.text) if part]


def parse(body: str, content_type: str = "text/xml") -> list[Verb]:
    """The verbs of a TwiML document; Broken if it is none."""
    if len(body.encode()) > LARGEST:
        raise Broken(11750)
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("text/xml", "application/xml", "text/html", "text/plain"):
        raise Broken(12300)
    if "<!DOCTYPE" in body or "<!ENTITY" in body:
        raise Broken(12100)
    try:
        root = ElementTree.fromstring(body.strip())  # noqa: S314 - documents with entities were refused above
    except ElementTree.ParseError:
        raise Broken(12100) from None
    if root.tag != "Response":
        raise Broken(12100)
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    text = " ".join("".join(element.itertext()).split())
    return Verb(element.tag, dict(element.attrib), text, tuple(_verb(inner) for inner in element))
