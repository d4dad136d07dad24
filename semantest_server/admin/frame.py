"""What surrounds every page: its headers, the check of its forms' tokens, and its errors."""

from typing import Any

from flask import Blueprint, Flask, Request, Response, make_response, render_template
from flask import request as current_request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import InternalServerError, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoSuchAddress

from semantest_server import access
from semantest_server.errors import NotFound
from semantest_server.guard import PAGES

pages = Blueprint("admin", __name__)
csrf = CSRFProtect()

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: https: http:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)

PLAIN_WORDS = {  # instead of what Werkzeug says, which is for programmers
    NoSuchAddress.description: "There is nothing at this address. It may have been mistyped, or what was here has been "
    "deleted since. What is queued is safe.",
    MethodNotAllowed.description: "This address is not for opening; a button leads here. Go back and press it again.",
    InternalServerError.description: "This page could not be made, which is a fault of the server and not yours. "
    "What is queued is safe, and browsers go on drawing. Load the page again; if that does not help, the server's log "
    "says why.",
}


class PageSessions(SecureCookieSessionInterface):
    """Sessions for pages only: extensions keep no cookies, and to look for some takes time at every poll."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of whoever looks at a page; None elsewhere."""
        return super().open_session(app, request) if request.path.startswith(PAGES) else None

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the cookie is for encrypted connections only: once it came over one."""
        return current_request.is_secure


@pages.app_context_processor
def who_looks() -> dict[str, Any]:
    """What every page knows of who looks at it."""
    return {"caller": access.caller(), "accounts_are_on": access.accounts_are_on()}


@pages.before_request
def check_token() -> None:
    """Refuse a change that was not asked for by a form of these pages."""
    csrf.protect()


@pages.after_request
def secure(response: Response) -> Response:
    """Set the headers of a page: nothing foreign runs in it or frames it, and nothing keeps it."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def render_error(code: int, title: str, detail: str) -> Response:
    """A page that says what is wrong and where to go on. It asks nothing of the database."""
    page = render_template("error.html", code=code, title=title, detail=PLAIN_WORDS.get(detail, detail))
    return secure(make_response(page, code))


@pages.errorhandler(CSRFError)
def stale_form(_error: CSRFError) -> Response:
    """Say that the form came without a token, or with one that no longer counts."""
    return render_error(
        400,
        "This page was too old",
        "Nothing was changed. Go back, load the page again, and then repeat what you did. "
        "If it happens again, allow cookies for this address.",
    )


@pages.errorhandler(NotFound)
def not_found(error: NotFound) -> Response:
    """Say that there is no such comic or panel."""
    return render_error(404, "Not found", error.detail)
