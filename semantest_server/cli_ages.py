"""Lengths of time as people write them on the command line: 30d, 12h, 45m."""

import re
from datetime import timedelta
from typing import Any

import click

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Age(click.ParamType[timedelta]):
    """A length of time such as 30d, 12h or 45m."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it, or say how it is written."""
        match = re.fullmatch(r"([0-9]{1,6})([dhm])", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not an age such as 30d, 12h or 45m.", param, ctx)
        return timedelta(**{UNITS[match[2]]: int(match[1])})
