"""Which comics a claim looks at: by site, priority, fewest out, served longest ago, and no more than it needs."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select, update

from semantest_server.models import OPEN_COMIC, Comic, Site
from semantest_server.policy import Pacing
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.workers import Known
from semantest_server.statements import Asked, Statement, Write

_PACING = [field.name for field in fields(Pacing)]
_STATE = ("handed_out_at", "since_break", "break_until", "day", "today")
SITES_READ = select(Site.domain, *(getattr(Site, name) for name in _PACING)).order_by(Site.domain)
_these: BindParameter[Any] = bindparam("domains", expanding=True)


def site_of(domain: str, *pacing: Any) -> tuple[str, Pacing]:
    """What a row of `SITES_READ` says: a site and its pacing."""
    return domain, Pacing(*pacing)


SITES = Statement(SITES_READ, site_of)
THESE_SITES = Statement(SITES_READ.where(Site.domain.in_(_these)), site_of)
LOCKED_SITES = Statement(SITES_READ.where(Site.domain.in_(_these)).with_for_update(key_share=True), site_of)
SAVE_SITES = Write(
    update(Site).where(Site.domain == bindparam("site")).values({name: bindparam(f"new_{name}") for name in _STATE})
)


@dataclass
class Candidate:
    """A comic that looks open, as claims compare it, with what it has left."""

    priority: int
    out: int
    served_at: datetime
    id: int
    ready: int
    parallel: int
    domain: str

    @property
    def place(self) -> tuple[int, int, datetime, int]:
        """Where it is in the order of choosing."""
        return self.priority, self.out, self.served_at, self.id

    @property
    def left(self) -> int:
        """How many of its panels may be handed out."""
        return max(0, min(self.ready, self.parallel - self.out))


_ORDER = (Comic.priority, Comic.out, Comic.served_at, Comic.id)
CANDIDATES = Statement(
    select(*_ORDER, Comic.ready, Comic.parallel, Comic.domain)
    .where(Comic.domain == bindparam("domain"), OPEN_COMIC, Comic.id.not_in(bindparam("passed_over", expanding=True)))
    .order_by(*_ORDER)
    .limit(bindparam("most")),
    Candidate,
)


@dataclass(frozen=True)
class Search:
    """Which comics a claim looks at: just enough of them, or as many as might be needed; never those passed over."""

    widely: bool = False
    passed_over: frozenset[int] = frozenset()


class Overtaken(Exception):
    """The comics that were locked gave less than they seemed to have; `search` says where to look next."""

    def __init__(self, search: Search) -> None:
        super().__init__("Others were faster.")
        self.search = search


@dataclass(frozen=True)
class Asker:
    """A poll, whose it is, on which sites it can be drawn, and how many panels there is room for."""

    poll: Poll
    worker: Known
    tabs: frozenset[str]
    room: int

    @property
    def is_modest(self) -> bool:
        """Whether there is nothing to do for it."""
        return self.room <= 0 and not self.poll.holding and not self.poll.resends


def sites_asked(polls: Sequence[Poll]) -> Asked[tuple[str, Pacing]]:
    """The statement that reads the sites that polls want panels for."""
    domains = [poll.domains for poll in polls if poll.domains is not None]
    if len(domains) < len(polls):
        return SITES.asked({})
    return THESE_SITES.asked({"domains": sorted(frozenset().union(*domains))})


class Choice:
    """The comics that polls which are answered together may be given panels of, and the sites, as they are by now."""

    def __init__(self, search: Search, polls: Sequence[Poll], sites: Mapping[str, Pacing], now: datetime) -> None:
        self.search, self.sites, self.now = search, {**sites}, now
        self._most = sum(poll.limit for poll in polls)
        self._asked: list[Asked[Candidate]] = []

    def asked_for(self, askers: Iterable[Asker]) -> Sequence[Asked[Candidate]]:
        """The statements that look for comics: of each site as many as all polls together might need."""
        domains = sorted({domain for asker in askers if asker.room > 0 for domain in asker.tabs})
        values = {"passed_over": sorted(self.search.passed_over), "most": self._most}
        self._asked = [CANDIDATES.asked({**values, "domain": one}) for one in self.open_sites(domains, self.now)]
        return self._asked

    @property
    def found(self) -> Iterator[Candidate]:
        """The comics that have been found."""
        return chain.from_iterable(one.rows for one in self._asked)

    def chosen(self, askers: Iterable[Asker]) -> set[int]:
        """The comics to lock: the first ones, as many as seem to have panels enough for all, one after the other."""
        allowed = {domain: pacing.allowance(self.now, self._most) for domain, pacing in self.sites.items()}
        return {comic.id for asker in askers if asker.room > 0 for comic in self._for(asker, allowed)}

    def _for(self, asker: Asker, allowed: dict[str, int]) -> Iterator[Candidate]:
        room = asker.room
        open_ones = [one for one in self.found if one.domain in asker.tabs and one.left]
        for comic in sorted(open_ones, key=lambda one: one.place)[: asker.poll.limit]:
            if room <= 0 and not self.search.widely:
                return
            yield comic
            count = min(comic.left, allowed[comic.domain], room)
            if count > 0:  # as if it had been taken, so that the next poll is served fairly too
                comic.ready, comic.out, comic.served_at = comic.ready - count, comic.out + count, self.now
                allowed[comic.domain] -= count
                room -= count

    def open_sites(self, domains: Iterable[str], now: datetime) -> list[str]:
        """Those of the sites that may be given a panel at `now`."""
        return [domain for domain in domains if self.sites[domain].allowance(now, 1) > 0]

    def has_more(self, asker: Asker, locked: Container[int], now: datetime) -> bool:
        """Whether comics that were not locked might have what those that were did not."""
        domains = self.open_sites(asker.tabs, now)
        there = [one.id for one in self.found if one.domain in domains]
        return len(there) >= self._most or any(comic not in locked for comic in there)

    def lock_paced(self, connection: Connection, domains: Iterable[str]) -> None:
        """Lock those of the sites that have pacing, in the order of their names, and see how they are now."""
        paced = sorted(domain for domain in domains if domain in self.sites and self.sites[domain].is_on)
        if paced:
            self.sites |= dict(LOCKED_SITES.rows(connection, domains=paced))

    def handed_out(self, domain: str, now: datetime, count: int) -> None:
        """Count panels against the pacing of a site."""
        if self.sites[domain].is_on:
            self.sites[domain] = self.sites[domain].after(now, count)

    def save(self, domains: Iterable[str]) -> Asked[None]:
        """The statement that writes how paced sites are now."""
        paced = sorted(domain for domain in {*domains} if self.sites[domain].is_on)
        return SAVE_SITES.asked(
            *({"site": name, **{f"new_{part}": getattr(self.sites[name], part) for part in _STATE}} for name in paced)
        )
