"""The pages that a text may name: settings of the pharmacy, https only, on its own domain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from notifier.core.wording import PLACEHOLDER, SHORTENERS, best_language

PAGES = ("home_infusion", "first_dose_checklist", "when_to_call", "caregiver_checklist", "line_care", "contact")


@dataclass(frozen=True)
class Links:
    """Addresses by language and page, and the domains on which they may be."""

    domains: tuple[str, ...] = ()
    pages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def url(self, page: str, language: str) -> str | None:
        """The page for a reader of that language, else the English one; None where the pharmacy has none."""
        told = {tongue: pages[page] for tongue, pages in self.pages.items() if page in pages}
        return told.get(best_language(told, language)) or None

    def urls(self) -> list[str]:
        """Every address that some text may name, once each."""
        return sorted({url for pages in self.pages.values() for url in pages.values() if url})

    def is_own(self, url: str) -> bool:
        """Whether an address is safe to name: https, and on one of our own domains."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        return parts.scheme == "https" and any(host == own or host.endswith(f".{own}") for own in self.domains)

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong with them, each as (its key, what to write instead)."""
        for own in self.domains:
            if own in SHORTENERS:
                yield "domains", f"{own} shortens links and carriers block it: name the pharmacy's own domain"
        for language, pages in self.pages.items():
            for page, url in pages.items():
                name = f"{language}.{page}"
                if page not in PAGES:
                    yield name, f"no text names such a page: one of {', '.join(PAGES)}"
                elif url and not url.startswith("https://"):
                    yield name, "write it with https://"
                elif url and not self.is_own(url):
                    yield name, f"it is not on {' or '.join(self.domains)}: name a page of your own, or add to domains"
                elif urlsplit(url).query or urlsplit(url).fragment:
                    yield name, "leave out what follows ? or #: it could tell who was texted"


def pages_in(words: str) -> list[str]:
    """The pages that the words of a message name, such as `when_to_call` for {link.when_to_call}."""
    return [name.removeprefix("link.") for name in PLACEHOLDER.findall(words) if name.startswith("link.")]


def read_links(table: Mapping[str, Any], faults: list[str]) -> Links:
    """`links.toml` as Links; what has the wrong shape is added to `faults`."""
    domains = table.get("domains", [])
    if not isinstance(domains, list) or not all(isinstance(each, str) for each in domains):
        faults.append('links.toml: domains: must be a list such as ["example.com"]')
        domains = []
    pages = {}
    for language, entry in table.items():
        if language == "domains":
            continue
        if not isinstance(entry, dict) or not all(isinstance(url, str) for url in entry.values()):
            faults.append(f'links.toml: {language}: must be a table of pages such as contact = "https://..."')
            continue
        pages[language] = entry
    return Links(tuple(each.lower() for each in domains), pages)
