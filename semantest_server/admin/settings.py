"""The settings: how often panels are tried, how fast each site is given them, and what the server was started with."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, flash, redirect, render_template, url_for
from sqlalchemy import make_url
from werkzeug import Response

from semantest_server import access, snapshots, standing
from semantest_server.accounts.tables import Scope
from semantest_server.admin import asked, words
from semantest_server.admin.forms_settings import AttemptsForm, PacingForm
from semantest_server.admin.frame import pages
from semantest_server.config import PREFIX, SETTINGS
from semantest_server.database import db
from semantest_server.models import Site
from semantest_server.queue.preferences import change_max_attempts, chosen_max_attempts
from semantest_server.queue.steer import change_pacing


@dataclass(frozen=True)
class Given:
    """A setting as the server was started with it, without its secrets."""

    name: str
    value: str
    meaning: str
    is_default: bool


@pages.get("/settings")
def settings() -> str:
    """Show what is set, and the forms that change what can be changed here."""
    return _page()


@pages.post("/settings/attempts")
def change_attempts() -> Response:
    """Choose how often a panel is tried, or show what is wrong with that."""
    form = AttemptsForm()
    if not form.validate():
        return asked.refused(_page(attempts=form))
    with db.writing() as session:
        change_max_attempts(session, form.max_attempts.data)
    standing.forget()
    flash(f"A panel is tried {words.count(asked.policy().max_attempts, 'time')} before it fails.")
    return redirect(url_for(".settings"), 303)


@pages.get("/sites")
def sites() -> Response:
    """Lead to the settings, where the pacing of sites is now."""
    return redirect(url_for(".settings"), 301)


@pages.post("/settings/sites/<domain>")
def change_site(domain: str) -> Response:
    """Change the pacing of a site, or show what is wrong with it."""
    form = PacingForm.sent(domain)
    if not form.validate():
        return asked.refused(_page(domain, form))
    with db.writing() as session:
        change_pacing(session, domain, **form.rules())
    flash(f"Saved for {domain}.")
    return redirect(url_for(".settings", _anchor=f"site-{domain}"), 303)


def _page(domain: str | None = None, sent: PacingForm | None = None, attempts: AttemptsForm | None = None) -> str:
    """The page; a form that was sent stands in for the one that shows what is set."""
    rows = [_row(site, sent if site.domain == domain else None) for site in snapshots.sites(db.session())]
    chosen = chosen_max_attempts(db.session())
    me = access.caller()
    return render_template(
        "settings.html",
        rows=rows,
        attempts=attempts or AttemptsForm(formdata=None, max_attempts=chosen),
        set_attempts=current_app.config["SEMANTEST_MAX_ATTEMPTS"],
        given=_given(),
        may_change=me is None or me.scope is Scope.ADMIN,
        is_wrong=bool((sent and sent.errors) or (attempts and attempts.errors)),
    )


def _row(site: Site, sent: PacingForm | None) -> tuple[Site, PacingForm, int, Any]:
    """A site, its form, how many panels it was given today, and why and until when it gets none."""
    pacing, now = site.pacing, words.now()
    return site, sent or PacingForm.of(site), pacing.handed_out_on(now), pacing.held_until(now)


def _given() -> list[Given]:
    return [
        Given(PREFIX + one.name, _shown(one.name), one.meaning, _value(one.name) == one.parse(one.default))
        for one in SETTINGS
    ]


def _shown(name: str) -> str:
    """The value of a setting for whoever looks; no password, and no key that an address may carry."""
    value = _value(name)
    if name == "INSTANCE":
        return current_app.instance_path
    if not value and value != 0:
        return ""
    if name == "DATABASE_URL":
        return make_url(value).set(query={}).render_as_string(hide_password=True)
    if name == "RATE_LIMIT_STORAGE":
        address = urlsplit(value)
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
    if isinstance(value, (tuple, dict)):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(name: str) -> Any:
    return current_app.config[PREFIX + name]
