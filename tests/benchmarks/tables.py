"""What is printed at the end."""

from collections.abc import Iterator, Sequence

from .figures import Figures, Series
from .targets import Target


def figures_table(backend: str, figures: Figures) -> str:
    """Every figure of a backend."""
    head = [backend, "where", "per second, MiB", "of its reference", "median ms", "p99 ms"]
    order = list(dict.fromkeys(what for what, _ in figures.series))
    found = sorted(figures.series.items(), key=lambda item: order.index(item[0][0]))
    return _table([head, *([what, where, *_cells(series)] for (what, where), series in found)], numbers=4)


def targets_table(targets: Sequence[Target]) -> str:
    """Every target that was measured, beside what was measured, and how many were not."""
    measured = [target for target in targets if target.value is not None]
    rows = [[t.backend, t.name, t.wanted, _number(t.value, 2), "yes" if t.is_met else "NO"] for t in measured]
    table = _table([["database", "target", "wanted", "measured", "met"], *rows], numbers=0)
    missing = len(targets) - len(measured)
    return f"{table}\n\nNot measured: {missing} targets." if missing else table


def _cells(series: Series) -> Iterator[str]:
    yield _number(series.rate, 0 if series.rate >= 100 else 2)
    yield _number(series.of_reference, 2)
    for seconds in (series.median, series.p99):
        yield _number(None if seconds is None else seconds * 1000, 2)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _table(rows: Sequence[Sequence[str]], numbers: int) -> str:
    """Columns under their heads, the last so many to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = len(widths) - numbers
    lines = []
    for row in rows:
        cells = [c.ljust(w) if i < words else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
