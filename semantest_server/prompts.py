"""Prompts as text: joined with a style."""

import re


def final_style(of_panel: str | None, of_comic: str | None) -> str | None:
    """The style that is added to a panel's prompt: its own, which may be none at all, or else its comic's."""
    return of_comic if of_panel is None else of_panel


def compose(prompt: str, style: str | None) -> str:
    """The final prompt: the style follows the panel's own words, unless it is among them already."""
    if not style or re.search(rf"(?<!\w){re.escape(style.casefold())}(?!\w)", prompt.casefold()):
        return prompt
    return f"{prompt.rstrip(' ,')}, {style}"
