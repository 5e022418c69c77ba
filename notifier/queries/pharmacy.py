"""The pharmacy itself: sites and shifts."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.models import (
    OnCallShift,
    Site,
)
from notifier.queries.scope import Sites, at


def sites(session: Session, keys: Sites = ()) -> Sequence[Site]:
    """The sites with these keys (all when none are given), by name."""
    return session.scalars(select(Site).where(*at(Site.key, keys)).order_by(Site.name)).all()


def shifts(session: Session, site_key: str) -> Sequence[OnCallShift]:
    """Every shift that counts at a site."""
    found = select(OnCallShift).where(OnCallShift.site.in_((site_key, "*")))
    return session.scalars(found.order_by(OnCallShift.role, OnCallShift.rung)).all()
