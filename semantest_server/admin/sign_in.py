"""Signing in and out, and one's own account."""

from flask import flash, redirect, render_template, request, session, url_for
from werkzeug import Response

from semantest_server import access
from semantest_server.access import SIGN_IN
from semantest_server.accounts import people, secrets, sign_ins
from semantest_server.admin import asked
from semantest_server.admin.forms_accounts import PasswordForm, SignInForm
from semantest_server.admin.frame import pages
from semantest_server.database import db
from semantest_server.errors import NotFound
from semantest_server.guard import PAGES, note


@pages.get("/sign-in")
def sign_in() -> str:
    """Show the form."""
    return _sign_in_page(SignInForm(formdata=None))


@pages.post("/sign-in")
def begin_sign_in() -> Response:
    """Sign in, with a session that is new, and go where the person wanted to."""
    form = SignInForm()
    if not form.validate():
        return asked.refused(_sign_in_page(form))
    name = form.name.data.strip()
    access.refuse_guesses(name=name)
    account = people.verified(db.session(), name, form.password.data)
    if account is None:
        access.count_failure(name=name)
        note("sign_in_failed", account=name)
        form.password.errors = ["The name or the password is wrong."]
        return asked.refused(_sign_in_page(form))
    with db.writing() as writing:
        secret = sign_ins.begin(writing, account, request.remote_addr or "", request.headers.get("User-Agent", ""))
    note("signed_in", account=name)
    _remember(secret)
    return redirect(_safe(request.args.get("next", "")), 303)


@pages.post("/sign-out")
def sign_out() -> Response:
    """Sign out of this browser."""
    with db.writing() as writing:
        sign_ins.end(writing, session.get(SIGN_IN, ""))
    session.clear()
    return redirect(url_for(".sign_in"), 303)


@pages.get("/account")
def account() -> str:
    """Show who is signed in, and where else."""
    return _account_page(PasswordForm(formdata=None))


@pages.post("/account/password")
def change_password() -> Response:
    """Change one's own password, and sign out everywhere else."""
    form, me = PasswordForm(), _me()
    access.refuse_guesses(name=me.name)
    if not form.validate():
        return asked.refused(_account_page(form))
    if people.verified(db.session(), me.name, form.old.data) is None:
        access.count_failure(name=me.name)
        note("password_change_failed", account=me.name)
        form.old.errors = ["That is not your password."]
        return asked.refused(_account_page(form))
    with db.writing() as writing:
        mine = people.find(writing, me.name)
        people.set_password(writing, mine, form.new.data)
        secret = sign_ins.begin(writing, mine, request.remote_addr or "", request.headers.get("User-Agent", ""))
    note("password_changed", account=me.name)
    _remember(secret)
    flash("Your password is changed, and you are signed out everywhere else.")
    return redirect(url_for(".account"), 303)


@pages.post("/account/sign-out-everywhere")
def sign_out_everywhere() -> Response:
    """Sign out of every browser, this one too."""
    with db.writing() as writing:
        sign_ins.end_everywhere(writing, _me().account_id or 0)
    note("signed_out_everywhere", account=_me().name)
    session.clear()
    return redirect(url_for(".sign_in"), 303)


def _remember(secret: str) -> None:
    """Begin a new session: nothing of the one before, which somebody else may know, counts any more."""
    session.clear()
    session[SIGN_IN] = secret
    session.permanent = True


def _me() -> access.Caller:
    me = access.caller()
    if me is None:
        raise NotFound("Accounts are off on this server.")
    return me


def _sign_in_page(form: SignInForm) -> str:
    return render_template("sign_in.html", form=form, is_needed=access.accounts_are_on())


def _account_page(form: PasswordForm) -> str:
    me = _me()
    rows = sign_ins.of_account(db.session(), me.account_id or 0)
    here = secrets.digest(session.get(SIGN_IN, ""))
    return render_template("account.html", me=me, form=form, rows=[(one, one.digest == here) for one in rows])


def _safe(address: str) -> str:
    """The address if it is one of our pages, else the first of them: nobody is to be sent elsewhere."""
    is_ours = address.startswith(PAGES) and "\\" not in address and address.isprintable() and "//" not in address
    return address if is_ours else url_for(".home")
