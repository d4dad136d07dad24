"""What may be wrong with an answer, and with every page that links lead to."""

import csv
import re
from collections.abc import Iterator
from io import StringIO

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..http.test_nonsense import complaint
from .markup import Page

FOLLOWED = re.compile(
    r"/admin/(comics\?before=\d+|workers\?rename=1)?|/admin/comics/\d+(\?after=\d+|/panels/\d+)?"
    r"|/admin/[a-z/-]+|.*/picture\?.*|/admin/uploads/[0-9a-f]{32}(/rows.csv)?|/admin/activity.csv.*|/admin/comics/1/export.*"
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def complaints(answer: TestResponse, asked: str) -> Iterator[str]:
    """What is wrong with an answer: a failure, no problem document, or a page with markup from a text."""
    if re.search(r"[\r\n]", "".join(answer.headers.values())) or "Set-Cookie: a=b" in str(answer.headers):
        yield f"{asked}: headers {answer.headers}"
    if answer.status_code >= 500:
        yield f"{asked}: {answer.status_code} {answer.text[:200]}"
    elif answer.mimetype == "text/html":
        yield from (f"{asked}: {wrong}" for wrong in Page(answer.text, asked).wrong)
    elif answer.status_code >= 400 and not answer.request.path.startswith("/tasks/pending"):
        yield from (f"{asked}: {said}" for said in [complaint(answer)] if said)


def crawl(client: FlaskClient) -> dict[str, Page]:
    """Every page that links lead to, once it is sure that nothing in them came from a text."""
    waiting, seen = ["/admin/"], dict[str, Page]()
    asked = set(waiting)
    while waiting:
        path = waiting.pop()
        answer = client.get(path, buffered=True)
        if "/picture?" in path:  # it may be none
            assert answer.status_code in (200, 404), path
            continue
        assert answer.status_code == 200, f"{path}: {answer.text[:200]}"
        if answer.mimetype != "text/html":
            assert list(formulas(answer)) == [], path
            continue
        seen[path] = page = Page(answer.text, path)
        assert page.wrong == [], path
        found = {link for link in page.links if FOLLOWED.fullmatch(link)} - asked
        waiting += sorted(found)
        asked |= found
    return seen


def formulas(answer: TestResponse) -> Iterator[str]:
    """The cells of a file that a spreadsheet would work out."""
    if answer.mimetype == "text/csv":
        for row in csv.reader(StringIO(answer.text.removeprefix("\ufeff"), newline="")):
            yield from (cell for cell in row if cell.startswith(FORMULAS))
