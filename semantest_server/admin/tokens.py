"""The tokens of programs."""

from flask import flash, redirect, render_template, url_for
from werkzeug import Response

from semantest_server.accounts import tokens as accounts_tokens
from semantest_server.accounts.tables import Scope
from semantest_server.admin import asked
from semantest_server.admin.forms_accounts import TokenForm
from semantest_server.admin.frame import pages
from semantest_server.clock import clock
from semantest_server.database import db
from semantest_server.errors import Conflict, Invalid
from semantest_server.guard import note


@pages.get("/tokens")
def tokens() -> str:
    """Show the tokens, and the form for another one."""
    return _page(TokenForm(formdata=None))


@pages.post("/tokens")
def create_token() -> str | Response:
    """Make a token, and show it on this one page only."""
    form = TokenForm()
    if not form.validate():
        return asked.refused(_page(form))
    try:
        with db.writing() as session:
            made, text = accounts_tokens.create(session, form.name.data, Scope(form.scope.data), form.lifetime)
    except Invalid as error:
        form.name.errors = [one.message for one in error.errors]
        return asked.refused(_page(form))
    except Conflict as error:
        form.name.errors = [error.detail]
        return asked.refused(_page(form))
    note("token_created", token=made.name, scope=made.scope.value)
    return _page(TokenForm(formdata=None), made=text)


@pages.post("/tokens/<int(max=9223372036854775807):token_id>/revoke")
def revoke_token(token_id: int) -> Response:
    """End a token for good."""
    with db.writing() as session:
        name = accounts_tokens.revoke(session, token_id).name
    note("token_revoked", token=name)
    flash(f"{name} is revoked.")
    return redirect(url_for(".tokens"), 303)


def _page(form: TokenForm, made: str | None = None) -> str:
    now = clock.now(db.session())
    rows = [(one, accounts_tokens.is_live(one, now)) for one in accounts_tokens.every(db.session())]
    return render_template("tokens.html", form=form, rows=rows, made=made)
