"""What a message says: its template, its language and its values become words, frozen when it is claimed."""

from collections.abc import Container
from typing import Any

from sqlalchemy.orm import Session, object_session

from notifier import links
from notifier.catalog import Catalog
from notifier.core import wording
from notifier.core.vocabulary import Channel
from notifier.models import Message, Site


def words(message: Message, catalog: Catalog) -> str:
    """What the recipient will read or hear."""
    return say(object_session(message.site), message, message.site, catalog)


def say(session: Session | None, message: Any, site: Site, catalog: Catalog) -> str:
    """The same of any row that has a message's channel, language, template and values."""
    if (text := message.values.get("text")) is not None:
        return str(text)
    place, by_text = message.values.get("place"), message.channel is Channel.SMS
    template = message.values.get("words", message.template)
    values = {
        "brand": f"{site.brand} (Plan {place})" if place and by_text else site.brand,
        "phone": wording.written_phone(site.phone),
        **message.values,
    }
    alive = _pages(session, template, message.channel, catalog)
    said = catalog.render(template, message.language, message.channel, values, alive)
    if place and not by_text:
        return f"{catalog.render('voice.place', message.language, message.channel, values)} {said}"
    return said


def _pages(session: Session | None, template: str, channel: Channel, catalog: Catalog) -> Container[str]:
    """The pages that its words may name: none while nobody can say which are there."""
    named = session is not None and catalog.names_pages(template, channel)
    return links.alive(session) if session is not None and named else ()
