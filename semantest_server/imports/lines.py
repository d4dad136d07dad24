"""Plain lines: a prompt on each, with chapters and strips between them."""

import re
from collections.abc import Sequence

from semantest_server.imports.rows import Row

COMMENT = "#"
CHAPTER = re.compile(r"#+\s*chapter\s*:\s*(?P<name>.*)", re.IGNORECASE | re.DOTALL)
LINE_BREAK = re.compile(r"\r\n|\r|\n")


def read_lines(text: str) -> Sequence[Row]:
    """The prompts of a text, one a line. `# Chapter: X` begins a chapter, a blank line the next strip.

    Strips are numbered from 1 within their chapter, or within the comic. Other lines that begin with `#` say nothing.
    """
    rows: list[Row] = []
    chapter, strip, is_new_strip = "", 0, True
    for number, line in enumerate(LINE_BREAK.split(text), start=1):
        line = line.strip()
        if not line:
            is_new_strip = True
        elif found := CHAPTER.fullmatch(line):
            chapter, strip, is_new_strip = found["name"].strip(), 0, True
        elif not line.startswith(COMMENT):
            strip += is_new_strip
            is_new_strip = False
            place = {"chapter": chapter} if chapter else {}
            rows.append(Row(number, {"prompt": line, **place, "strip": str(strip)}))
    return rows
