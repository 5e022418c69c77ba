"""Warnings: what reaches many patients at once, by where they live."""

from typing import Annotated

from pydantic import Field, StringConstraints

from notifier import enrolment
from notifier.core.vocabulary import Scope
from webhooks.api.calls import Ask, call
from webhooks.api.fields import Asked, ExternalId, SiteKey, Told
from webhooks.api.patients import PostalCode

TAG = "Warnings"
Name = Annotated[ExternalId, StringConstraints(max_length=60)]


class Storm(Asked):
    """A storm that may cut the power."""

    site: SiteKey
    postal_codes: list[PostalCode] = Field(min_length=1, max_length=1000)
    name: Name = Field(description="what you call this storm: nobody is told of the same one twice")


class Warned(Told):
    """How many patients were told, and how many a nurse calls because their therapy must not stop."""

    told: int
    to_be_called: int


@call("POST", "/warnings", Scope.WRITE, tag=TAG, body=Storm, answers=Warned)
def storm(ask: Ask, body: Storm) -> Warned:
    """Warn the patients of some postal codes of a storm (M21)"""
    told, called = enrolment.warn_of_storm(ask.session, body.site, body.postal_codes, body.name, **ask.doing)
    return Warned(told=told, to_be_called=called)
