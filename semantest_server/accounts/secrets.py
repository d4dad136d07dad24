"""Random secrets, and what is kept of them."""

import hashlib
import secrets

SECRET_BYTES = 32


def new_secret() -> str:
    """256 random bits, in letters that need no quoting anywhere."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """What is kept of a random secret: nobody guesses 256 bits, so a fast hash without salt is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
