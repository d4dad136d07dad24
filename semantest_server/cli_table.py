"""Tables on the command line."""

import click

WIDEST = 60


def table(head: list[str], rows: list[list[str]], otherwise: str) -> None:
    """Print rows in columns as wide as they need, or what there is to say when there are none."""
    if not rows:
        click.echo(otherwise)
        return
    shown = [[cell if len(cell) <= WIDEST else f"{cell[: WIDEST - 1]}…" for cell in row] for row in [head, *rows]]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    for row in shown:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
