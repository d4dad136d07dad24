"""What somebody wants queued, and whether it can be: the same rules for the form, a file and the API."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from semantest_server.errors import FieldError, Invalid
from semantest_server.models import (
    NAME_CHARACTERS,
    PATH_CHARACTERS,
    PROMPT_CHARACTERS,
    STYLE_CHARACTERS,
    TEXT_CHARACTERS,
    TITLE_CHARACTERS,
    Priority,
)
from semantest_server.paths import check_path

MOST_PANELS = 10_000
MOST_NUMBER = 999_999
PARALLEL = 10
MOST_PARALLEL = 100
PLACES = {  # where a panel stands in its comic, and the words that belong to it
    "chapter": NAME_CHARACTERS,
    "strip": NAME_CHARACTERS,
    "caption": TEXT_CHARACTERS,
    "speech": TEXT_CHARACTERS,
    "notes": TEXT_CHARACTERS,
}
DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # but not tab, newline, return


@dataclass(frozen=True)
class PanelDraft:
    """A panel to queue; what is left out follows from its number and its comic."""

    prompt: str
    number: int | None = None
    style: str | None = None
    output_path: str | None = None
    download_folder: str | None = None
    correlation_id: str | None = None
    chapter: str | None = None
    strip: str | None = None
    caption: str | None = None
    speech: str | None = None
    notes: str | None = None


@dataclass(frozen=True)
class ComicDraft:
    """A comic to queue."""

    title: str
    panels: Sequence[PanelDraft]
    style: str | None = None
    priority: Priority = Priority.NORMAL
    parallel: int = PARALLEL
    domain: str | None = None
    download_folder: str | None = None


@dataclass(frozen=True)
class PictureDraft:
    """A single picture to queue; `details` are kept with its first event."""

    panel: PanelDraft
    domain: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


def checked_comic(draft: ComicDraft) -> ComicDraft:
    """The comic with every panel's number and path filled in. Raises `Invalid` with all that is wrong."""
    draft = filled_comic(draft)
    if errors := comic_errors(draft):
        raise Invalid("The comic cannot be queued.", errors)
    return draft


def filled_comic(draft: ComicDraft) -> ComicDraft:
    """The comic with every panel's number and path filled in."""
    return replace(draft, panels=[_filled(panel, number) for panel, number in _numbered(draft.panels)])


def comic_errors(draft: ComicDraft) -> list[FieldError]:
    """All that is wrong with a comic whose numbers and paths are filled in."""
    panels = draft.panels
    errors = [*_comic_errors(draft), *_number_errors(panels), *_correlation_errors(panels)]
    for index, panel in enumerate(panels):
        errors += _panel_errors(panel, f"/panels/{index}")
    return errors


def checked_picture(draft: PictureDraft, number: int) -> PanelDraft:
    """The picture's panel with its path filled in. Raises `Invalid`."""
    panel = _filled(draft.panel, number)
    if errors := [*_panel_errors(panel, ""), *_domain_errors(draft.domain)]:
        raise Invalid("The picture cannot be queued.", errors)
    return panel


def _numbered(panels: Sequence[PanelDraft]) -> Iterator[tuple[PanelDraft, int]]:
    """Each panel with its number: its own, or the one after the panel before it."""
    number = 0
    for panel in panels:
        number = panel.number if panel.number is not None else number + 1
        yield panel, number


def _filled(panel: PanelDraft, number: int) -> PanelDraft:
    return replace(panel, number=number, output_path=panel.output_path or f"panel-{number:03d}.png")


def _comic_errors(draft: ComicDraft) -> Iterator[FieldError]:
    yield from text_errors("/title", draft.title, TITLE_CHARACTERS)
    yield from text_errors("/style", draft.style, STYLE_CHARACTERS)
    yield from _path_errors("/downloadFolder", draft.download_folder)
    yield from _domain_errors(draft.domain)
    if not 1 <= draft.parallel <= MOST_PARALLEL:
        yield FieldError("/parallel", f"Must be a number from 1 to {MOST_PARALLEL}.")
    if not 1 <= len(draft.panels) <= MOST_PANELS:
        yield FieldError("/panels", f"Must have 1 to {MOST_PANELS:,} panels.")


def _panel_errors(panel: PanelDraft, pointer: str) -> Iterator[FieldError]:
    yield from text_errors(f"{pointer}/prompt", panel.prompt, PROMPT_CHARACTERS)
    yield from text_errors(f"{pointer}/style", panel.style, STYLE_CHARACTERS)
    yield from text_errors(f"{pointer}/correlationId", panel.correlation_id, NAME_CHARACTERS)
    yield from _path_errors(f"{pointer}/outputPath", panel.output_path)
    yield from _path_errors(f"{pointer}/downloadFolder", panel.download_folder)
    for name, longest in PLACES.items():
        yield from text_errors(f"{pointer}/{name}", getattr(panel, name), longest)


def _number_errors(panels: Sequence[PanelDraft]) -> Iterator[FieldError]:
    taken: dict[int, int] = {}
    for index, panel in enumerate(panels):
        number = panel.number or 0
        first = taken.setdefault(number, index)
        if first != index:
            yield FieldError(f"/panels/{index}/number", f"Panel number {number} is taken by /panels/{first}.")
        elif not 1 <= number <= MOST_NUMBER:
            yield FieldError(f"/panels/{index}/number", f"Must be a number from 1 to {MOST_NUMBER:,}.")


def _correlation_errors(panels: Sequence[PanelDraft]) -> Iterator[FieldError]:
    taken: dict[str, int] = {}
    for index, panel in enumerate(panels):
        if panel.correlation_id is not None and taken.setdefault(panel.correlation_id, index) != index:
            first = taken[panel.correlation_id]
            yield FieldError(f"/panels/{index}/correlationId", f"The same as /panels/{first}/correlationId.")


def text_errors(pointer: str, text: str | None, longest: int) -> Iterator[FieldError]:
    """What is wrong with a text of at most `longest` characters, if there is one."""
    if text is None:
        return
    if not len(text.strip()) >= 1 or len(text) > longest:
        yield FieldError(pointer, f"Must have 1 to {longest:,} characters.")
    elif UNPRINTABLE.search(text):
        yield FieldError(pointer, "Must not contain control characters or half a character.")


def _path_errors(pointer: str, path: str | None) -> Iterator[FieldError]:
    if path is None:
        return
    yield from text_errors(pointer, path, PATH_CHARACTERS)
    try:
        check_path(path)
    except ValueError as error:
        yield FieldError(pointer, str(error))


def _domain_errors(domain: str | None) -> Iterator[FieldError]:
    if domain is not None and not (len(domain) <= NAME_CHARACTERS and DOMAIN.fullmatch(domain)):
        yield FieldError("/domain", "Must be a site's name, such as chatgpt.com.")
