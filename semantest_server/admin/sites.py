"""How fast each site is given panels."""

from flask import flash, redirect, render_template, url_for
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked
from semantest_server.admin.forms import PacingForm
from semantest_server.admin.frame import pages
from semantest_server.database import db
from semantest_server.queue.steer import change_pacing


@pages.get("/sites")
def sites() -> str:
    """Show the pacing of every site."""
    return _page()


@pages.post("/sites/<domain>")
def change_site(domain: str) -> Response:
    """Change the pacing of a site, or show what is wrong with it."""
    form = PacingForm.sent(domain)
    if not form.validate():
        return asked.refused(_page(domain, form))
    with db.writing() as session:
        change_pacing(session, domain, **form.rules())
    flash(f"Saved for {domain}.")
    return redirect(url_for(".sites"), 303)


def _page(domain: str | None = None, sent: PacingForm | None = None) -> str:
    """The page; the form that was sent stands in for that of its site."""
    rows = [
        (site, sent if sent is not None and site.domain == domain else PacingForm.of(site))
        for site in snapshots.sites(db.session())
    ]
    return render_template("sites.html", rows=rows)
