"""Pictures that were reported as data. They are sent from here: browsers open no `data:` links."""

import base64
import re

from flask import Response, make_response

CACHE_SECONDS = 3600
DATA = re.compile(r"data:(image/(?:png|jpeg|gif|webp|avif));base64,", re.IGNORECASE)  # none of these can run scripts


def is_picture_data(address: str | None) -> bool:
    """Whether a reported address is itself a picture."""
    return address is not None and DATA.match(address) is not None


def picture_response(address: str) -> Response | None:
    """Answer with the picture that an address contains, or None if it does not contain one."""
    kind = DATA.match(address)
    if kind is None:
        return None
    try:
        content = base64.b64decode(address[kind.end() :], validate=True)
    except ValueError:
        return None
    response = make_response(content)
    response.content_type = kind[1].lower()
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = f"private, max-age={CACHE_SECONDS}"
    return response
