"""Once a day: are the pages that our texts name still there? One that is not is left out of them."""

import logging

import requests

from notifier import catalog, clock, links
from notifier.catalog.links import Links
from notifier.runtime import current, reading, transaction

SECONDS = 5.0
AGENT = {"User-Agent": "notifier (looks once a day whether this page is there)"}
log = logging.getLogger(__name__)


def look_for_pages() -> None:
    """Look for every page whose time has come, and write down what was seen."""
    named = current().catalog.links
    with reading() as session:
        due = links.due(session, _ours(named), clock.real())
    for url in due:
        why_not = missing(url, named)
        if why_not:
            log.warning("texts leave out %s: %s", url, why_not)
        with transaction() as session:
            links.record(session, url, why_not, real_now=clock.real())


def missing(url: str, named: Links) -> str | None:
    """Why a text may not name this page; None if it may: it is there, over https and on our own domain all the way."""
    try:
        with requests.get(url, timeout=SECONDS, headers=AGENT, stream=True) as answer:
            strange = [hop.url for hop in (*answer.history, answer) if not named.is_own(hop.url)]
    except requests.RequestException as error:
        return f"it does not answer ({type(error).__name__})"
    if strange:
        return "it leads away from our own domain"
    return None if answer.ok else f"it answers {answer.status_code}"


def _ours(named: Links) -> list[str]:
    """The pages to look for; in a rehearsal, under a clock of its own, not those that are shipped: they are real."""
    if not clock.is_rehearsal():
        return named.urls()
    return sorted(set(named.urls()) - set(catalog.load().links.urls()))
