"""What a message says: its template, its language and its values become words, frozen when it is claimed."""

from collections.abc import Container

from sqlalchemy.orm import object_session

from notifier import links
from notifier.catalog import Catalog
from notifier.core import wording
from notifier.core.vocabulary import Channel
from notifier.models import Message


def words(message: Message, catalog: Catalog) -> str:
    """What the recipient will read or hear."""
    if (text := message.values.get("text")) is not None:
        return text
    site, place = message.site, message.values.get("place")
    by_text = message.channel is Channel.SMS
    values = {
        "brand": f"{site.brand} (Plan {place})" if place and by_text else site.brand,
        "phone": wording.written_phone(site.phone),
        **message.values,
    }
    said = catalog.render(message.speaks, message.language, message.channel, values, _pages(message, catalog))
    if place and not by_text:
        return f"{catalog.render('voice.place', message.language, message.channel, values)} {said}"
    return said


def _pages(message: Message, catalog: Catalog) -> Container[str]:
    """The pages that its words may name: none while nobody can say which are there."""
    session = object_session(message.site)
    named = catalog.names_pages(message.speaks, message.channel)
    return links.alive(session) if session is not None and named else ()
