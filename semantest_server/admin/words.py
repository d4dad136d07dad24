"""How the pages say things: times, counts, and which addresses they show as pictures."""

import re
from datetime import UTC, datetime

from flask import Flask, g

from semantest_server.database import clock, db

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
BROWSERS = {  # the word in a user agent, and the name; those that call themselves Chrome too come first
    "Edg/": "Edge",
    "EdgA/": "Edge",
    "OPR/": "Opera",
    "Vivaldi/": "Vivaldi",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {  # Android calls itself Linux, and iPhones say that they are like a Mac
    "Android": "Android",
    "CrOS": "ChromeOS",
    "iPhone": "iOS",
    "iPad": "iPadOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Macintosh": "macOS",
    "Linux": "Linux",
}
PROGRAM = re.compile(r"([A-Za-z][\w.+-]{0,39})/")
SAFE_ADDRESS = re.compile(r"https?://[^\s/\\\x00-\x1f][^\s\x00-\x1f]*", re.IGNORECASE)


def init_app(app: Flask) -> None:
    """Make the words known to the templates."""
    times = {"ago": ago, "since": since, "roughly": roughly, "iso": iso, "exact": exact, "day_and_time": day_and_time}
    app.jinja_env.filters.update(times, count=count, lasting=lasting, browser=browser)


def now() -> datetime:
    """The time of this request, the same wherever it is asked."""
    if "now" not in g:
        g.now = clock.now(db.session())
    return g.now  # type: ignore[no-any-return]


def ago(at: datetime) -> str:
    """How long before or after now: `2 minutes ago`, `in 3 hours`. Whole minutes: it seldom changes."""
    passed = (now() - at).total_seconds()
    if abs(passed) < MINUTE:
        return "just now" if passed >= 0 else "in less than a minute"
    span = _span(abs(passed))
    return f"{span} ago" if passed > 0 else f"in {span}"


def since(at: datetime) -> str:
    """How long ago, for a sentence such as `for 25 minutes`."""
    passed = (now() - at).total_seconds()
    return _span(passed) if passed >= MINUTE else "less than a minute"


def roughly(at: datetime) -> datetime:
    """A time that is only foreseen, the rougher the further off, so that it seldom changes."""
    ahead = (at - now()).total_seconds()
    step = MINUTE if ahead < HOUR else 5 * MINUTE if ahead < 6 * HOUR else 15 * MINUTE
    return datetime.fromtimestamp(-(-at.timestamp() // step) * step, UTC)


def iso(at: datetime) -> str:
    """The time for a machine: `2026-11-22T18:01:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact(at: datetime) -> str:
    """The time to the second, for a person who has no JavaScript to turn it into their zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day_and_time(at: datetime) -> str:
    """The time to the minute, with the day unless it is today's: `18:01 UTC`, `23 Nov 18:01 UTC`."""
    utc = at.astimezone(UTC)
    return utc.strftime("%H:%M UTC" if utc.date() == now().astimezone(UTC).date() else "%-d %b %H:%M UTC")


def count(number: int, noun: str) -> str:
    """A number of things: `1 panel`, `3,000 panels`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def lasting(seconds: float) -> str:
    """How long something takes: `42 seconds`, `2.5 minutes`, `3 hours`."""
    for unit, length in (("hour", HOUR), ("minute", MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}s"
    return count(round(seconds), "second") if seconds >= 1 else "less than a second"


def browser(user_agent: str) -> str:
    """Which browser a user agent is, and on which system: `Chrome on Linux`."""
    name = next((name for word, name in BROWSERS.items() if word in user_agent), None)
    system = next((name for word, name in SYSTEMS.items() if word in user_agent), None)
    if name is None:
        program = PROGRAM.match(user_agent)
        name = program[1] if program and program[1] != "Mozilla" else "unknown program"
    return f"{name} on {system}" if system else name


def seconds(number: float) -> str:
    """Seconds without needless zeros: `30`, `0.5`."""
    return f"{number:.15g}"


def is_safe_address(address: str | None) -> bool:
    """Whether a reported address may become a link: http or https, complete, and nothing else in it."""
    return address is not None and SAFE_ADDRESS.fullmatch(address) is not None


def _span(length: float) -> str:
    if length < HOUR:
        return count(round(length / MINUTE), "minute")
    if length < 2 * DAY:
        return count(round(length / HOUR), "hour")
    return count(round(length / DAY), "day")
