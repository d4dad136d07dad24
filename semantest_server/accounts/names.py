"""The names of accounts and tokens."""

from semantest_server.errors import FieldError, Invalid
from semantest_server.models import NAME_CHARACTERS


def checked_name(name: str) -> str:
    """The name without the space around it. Raises `Invalid` for one that cannot be shown or told from others."""
    name = name.strip()
    if not name or len(name) > NAME_CHARACTERS or not name.isprintable():
        message = f"Must have 1 to {NAME_CHARACTERS} characters, and no control characters."
        raise Invalid("The name cannot be used.", [FieldError("/name", message)])
    return name
