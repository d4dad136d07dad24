"""The kinds of values on the wire."""

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Length

from semantest_server.models import (
    NAME_CHARACTERS,
)
from semantest_server.queue.drafts import DOMAIN

DIGITS = re.compile(r"-?[0-9]{1,20}")
LARGEST_WHOLE = 2**63 - 1  # that databases keep


class Text(fields.String):
    """A string without space around it, of 1 to `longest` characters."""

    def __init__(self, longest: int, **kwargs: Any) -> None:
        super().__init__(validate=Length(1, longest, error=f"Must have 1 to {longest:,} characters."), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        return str(super()._deserialize(value, attr, data, **kwargs)).strip()


class Whole(fields.Integer):
    """A whole number; true, false and "5" are none."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool | str) or (isinstance(value, float) and not value.is_integer()):
            raise self.make_error("invalid", input=value)
        return int(super()._deserialize(value, attr, data, **kwargs) or 0)


class Digits(Whole):
    """A whole number that may come as its digits, as it does in an address."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        is_number = isinstance(value, str) and DIGITS.fullmatch(value)
        return super()._deserialize(int(value) if is_number else value, attr, data, **kwargs)


class Name(fields.Field[str]):
    """An id from elsewhere, sent as a string or a whole number, kept as a string."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": ["string", "integer"],
            "minLength": 1,
            "maxLength": NAME_CHARACTERS,
            "minimum": -LARGEST_WHOLE,
            "maximum": LARGEST_WHOLE,
        }
        super().__init__(metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValidationError("Not a valid string.")
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise ValidationError("Is too large a number.")
        name = str(value).strip()
        if not 1 <= len(name) <= NAME_CHARACTERS:
            raise ValidationError(f"Must have 1 to {NAME_CHARACTERS} characters.")
        return name


class Domain(Text):
    """The name of a site, such as chatgpt.com."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs).lower()
        if not DOMAIN.fullmatch(name):
            raise ValidationError("Must be a site's name, such as chatgpt.com.")
        return name


class UtcTime(fields.Field[datetime]):
    """A time in ISO 8601, UTC, with `Z`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date-time"}, **kwargs)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Itself(fields.Nested):
    """The object once more, as another schema shows it."""

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = None) -> Any:
        """The object, whatever the field is called."""
        return obj


def id_field(**kwargs: Any) -> fields.String:
    """An id of ours, a string on the wire."""
    return fields.String(metadata={"example": "341"}, **kwargs)
