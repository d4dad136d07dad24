"""How a person looks at the panels of a comic: filter, search, order, page. All of it is in the address."""

from dataclasses import dataclass, replace
from typing import Any

from flask import redirect, request, url_for
from werkzeug import Response

from semantest_server.admin import asked
from semantest_server.models import TaskStatus
from semantest_server.selection import Selection, searchable
from semantest_server.snapshots import Sort

FILTERS = {
    "queued": frozenset({TaskStatus.QUEUED}),
    "running": frozenset({TaskStatus.LEASED, TaskStatus.RUNNING}),
    "completed": frozenset({TaskStatus.COMPLETED}),
    "failed": frozenset({TaskStatus.FAILED}),
    "cancelled": frozenset({TaskStatus.CANCELLED}),
}
SORTS = {
    Sort.NUMBER: "Panel number",
    Sort.ORDER: "Order of drawing",
    Sort.CHANGED: "Last change",
    Sort.STATUS: "Status",
}
ORDERS = {order: sort for sort in Sort for order in (sort.value, f"-{sort}")}
SIZES = (25, 50, 100, 200)
MOST_PAGES = 1_000_000


@dataclass(frozen=True)
class PanelView:
    """What is looked at. `status` is one of `FILTERS` or empty; pages are counted from 1."""

    status: str = ""
    q: str = ""
    sort: Sort = Sort.NUMBER
    descending: bool = False
    size: int = SIZES[0]
    grid: bool = False
    page: int = 1

    @classmethod
    def of_request(cls) -> "PanelView":
        """What the address asks for; what it says that makes no sense counts as not said."""
        status = request.args.get("status", "")
        sort = request.args.get("sort", "")
        size = asked.number("size")
        return cls(
            status=status if status in FILTERS else "",
            q=searchable(request.args.get("q", "")),
            sort=ORDERS.get(sort, Sort.NUMBER),
            descending=sort in ORDERS and sort.startswith("-"),
            size=size if size in SIZES else SIZES[0],
            grid=request.args.get("view") == "grid",
            page=asked.number("page", MOST_PAGES) or 1,
        )

    @property
    def order(self) -> str:
        """The order as the address says it: `-changed`."""
        return f"-{self.sort}" if self.descending else str(self.sort)

    @property
    def address(self) -> dict[str, Any]:
        """What of the address says so; the usual is left out."""
        said = {
            "status": self.status,
            "q": self.q,
            "sort": "" if self.order == Sort.NUMBER else self.order,
            "size": "" if self.size == SIZES[0] else self.size,
            "view": "grid" if self.grid else "",
            "page": "" if self.page == 1 else self.page,
        }
        return {name: value for name, value in said.items() if value}

    @property
    def is_narrowed(self) -> bool:
        """Whether some panels are left out."""
        return bool(self.status or self.q)

    def but(self, **changes: Any) -> dict[str, Any]:
        """The address of the same view with something else in it, from its first page on."""
        return replace(self, **{"page": 1, **changes}).address

    def url(self, endpoint: str, comic_id: int, **more: Any) -> str:
        """The address of an action that leads back to this view."""
        return url_for(f"admin.{endpoint}", comic_id=comic_id, **{**self.address, **more})

    def selection(self, comic_id: int) -> Selection:
        """The panels that the filter and the search leave."""
        return Selection(comic_id, FILTERS.get(self.status), self.q)

    def back(self, comic_id: int) -> Response:
        """Lead back to the comic, looked at like this."""
        return redirect(self.url("comic", comic_id), 303)
