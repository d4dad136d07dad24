"""Prompts as text: one a line, and joined with a style."""

import re
from dataclasses import dataclass

COMMENT = "#"


@dataclass(frozen=True)
class PromptLine:
    """A prompt and the line it stands on, counted from 1."""

    line: int
    prompt: str


def read_lines(text: str) -> list[PromptLine]:
    """The prompts of a text, one a line; empty lines and lines that begin with `#` are passed over."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    stripped = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return [PromptLine(number, line) for number, line in stripped if line and not line.startswith(COMMENT)]


def final_style(of_panel: str | None, of_comic: str | None) -> str | None:
    """The style that is added to a panel's prompt: its own, which may be none at all, or else its comic's."""
    return of_comic if of_panel is None else of_panel


def compose(prompt: str, style: str | None) -> str:
    """The final prompt: the style follows the panel's own words, unless it is among them already."""
    if not style or re.search(rf"(?<!\w){re.escape(style.casefold())}(?!\w)", prompt.casefold()):
        return prompt
    return f"{prompt.rstrip(' ,')}, {style}"
