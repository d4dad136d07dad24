"""How long a comic will take, from how fast its site drew the comics before it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.models import Comic, Site, Worker
from semantest_server.policy import ETA_LEAST_COMPLETIONS, Pacing, remaining_seconds
from semantest_server.snapshots.fleet import CONNECTED

COMICS = 10  # that the average is taken of, the newest
DAY_SECONDS = 86_400.0


def estimated_seconds(session: Session, panels: int, domain: str, parallel: int) -> float | None:
    """The seconds that so many panels will take, or None if nothing was drawn there yet."""
    drawn = select(Comic.completions, Comic.parallel).where(
        Comic.domain == domain, Comic.completed >= ETA_LEAST_COMPLETIONS
    )
    comics = session.execute(drawn.order_by(Comic.id.desc()).limit(COMICS)).all()
    now = clock.now(session)
    workers = session.scalar(select(func.count()).where(Worker.seen_at > now - CONNECTED)) or 1
    rates = [rate for row in comics if (rate := _rate(row.completions, min(row.parallel, workers), parallel))]
    site = session.get(Site, domain)
    if not rates or not panels:
        return None
    return paced_seconds(panels, sum(rates) / len(rates), site.pacing if site else Pacing(), now)


def paced_seconds(panels: int, seconds_each: float, pacing: Pacing, now: datetime) -> float:
    """The seconds that so many panels take at a site: what one takes, its gaps, its breaks, and its daily cap."""
    seconds_each = max(seconds_each, pacing.gap_seconds)
    seconds = panels * seconds_each
    if pacing.break_after and pacing.break_seconds:
        seconds += max(panels + pacing.since_break - 1, 0) // pacing.break_after * pacing.break_seconds
    if not pacing.daily_cap:
        return seconds
    today = pacing.today if pacing.day == now.date().isoformat() else 0
    later = panels - max(pacing.daily_cap - today, 0)
    if later <= 0:
        return seconds
    days = ceil(later / pacing.daily_cap) - 1  # that are full, between today and the last one
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    last = later - days * pacing.daily_cap
    return max(seconds, (midnight - now).total_seconds() + days * DAY_SECONDS + last * seconds_each)


def _rate(completions: Sequence[float], at_once: int, parallel: int) -> float | None:
    """The seconds from one panel to the next: longer than before if fewer may be out than were drawn at once."""
    seconds = remaining_seconds(1, completions)
    return seconds and seconds * max(1.0, at_once / parallel)
