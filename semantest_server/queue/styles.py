"""Styles: presets by name, and what a chosen style adds to prompts."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from semantest_server.errors import Conflict, FieldError, Invalid, NotFound
from semantest_server.models import STYLE_CHARACTERS, STYLE_NAME_CHARACTERS, Style
from semantest_server.queue.drafts import text_errors

NONE = "none"  # the choice of no style, where the comic has one


class Styles:
    """The presets, to look names up in."""

    def __init__(self, presets: Mapping[str, str]) -> None:
        """`presets`: their texts by name."""
        self._texts = {name.casefold(): text for name, text in presets.items()}

    def text_of(self, chosen: str | None) -> str | None:
        """What a chosen style adds: a preset's text, nothing for `none`, or else its own words. None if none was."""
        if chosen is None:
            return None
        name = chosen.strip().casefold()
        return "" if name == NONE else self._texts.get(name, chosen)


def presets(session: Session) -> list[Style]:
    """Every preset, by name."""
    return list(session.scalars(select(Style).order_by(Style.name)))


def styles(session: Session) -> Styles:
    """The presets, to look names up in."""
    return Styles({preset.name: preset.text for preset in presets(session)})


def add_style(session: Session, name: str, text: str) -> Style:
    """Make a preset. Raises `Invalid`, and `Conflict` if the name is taken."""
    _check(name, text)
    _check_is_free(session, name)
    preset = Style(name=name, text=text)
    session.add(preset)
    session.flush()
    return preset


def change_style(session: Session, style_id: int, name: str, text: str) -> Style:
    """Change a preset; what is queued keeps the text that it was queued with.

    Raises `NotFound`, `Invalid`, and `Conflict` if the name is taken.
    """
    _check(name, text)
    preset = _preset(session, style_id)
    _check_is_free(session, name, but=style_id)
    preset.name, preset.text = name, text
    return preset


def remove_style(session: Session, style_id: int) -> str:
    """Remove a preset and say its name; what is queued keeps its text. Raises `NotFound`."""
    preset = _preset(session, style_id)
    session.delete(preset)
    return preset.name


def _preset(session: Session, style_id: int) -> Style:
    preset = session.get(Style, style_id)
    if preset is None:
        raise NotFound(f"There is no style {style_id}.")
    return preset


def _check(name: str, text: str) -> None:
    errors = [*text_errors("/name", name, STYLE_NAME_CHARACTERS), *text_errors("/text", text, STYLE_CHARACTERS)]
    if name.strip().casefold() == NONE:
        errors.append(FieldError("/name", "`none` means no style; choose another name."))
    if errors:
        raise Invalid("The style cannot be kept.", errors)


def _check_is_free(session: Session, name: str, but: int | None = None) -> None:
    if any(one.name.casefold() == name.casefold() and one.id != but for one in presets(session)):
        raise Conflict(f"There is a style {name} already.")
