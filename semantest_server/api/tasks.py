"""The poll, reports, and snapshots of tasks."""

import hashlib
from typing import Any, cast

from flask import Response, jsonify, request
from marshmallow import ValidationError

from semantest_server import snapshots
from semantest_server.api.asking import (
    claims_nothing,
    idempotency_key,
    policy,
    poller,
    settings,
)
from semantest_server.api.blueprint import (
    ANY_REFUSALS,
    EMPTY_POLL,
    IDEMPOTENCY_KEY,
    WORKER,
    Blueprint,
    header,
    query,
    told,
)
from semantest_server.api.cursors import encoded, task_cursor, whole_cursor
from semantest_server.api.parsing import read_json, refuse_harmful
from semantest_server.api.polling import after_poll, take
from semantest_server.api.problems import flatten, of_queue_error, problem, problem_body
from semantest_server.api.reporting import take_reports
from semantest_server.api.schemas.incoming import (
    MOST_REPORTS,
    NewTaskSchema,
    PageSchema,
    ReportSchema,
    TargetedReportSchema,
    TaskPageSchema,
    report_of,
)
from semantest_server.api.schemas.outgoing import (
    EventsSchema,
    HandOutSchema,
    ReportedHandOutSchema,
    ReportedTaskSchema,
    ResultsSchema,
    TaskSchema,
    TasksSchema,
)
from semantest_server.database import db, revision
from semantest_server.errors import FieldError, Invalid, StaleReport
from semantest_server.guard import this_request
from semantest_server.models import TaskStatus
from semantest_server.queue.drafts import PictureDraft
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.states import Receipt
from semantest_server.queue.statuses import Outcome, Report
from semantest_server.queue.submit import submit_picture
from semantest_server.queue.targets import RECEIPT

MOST_POLLED = 50
PANELS = 10
NOTHING = "[]\n"  # what most polls are answered

tasks = Blueprint("tasks", __name__, description="The poll, reports, and snapshots of tasks.")

ONE_OR_MORE_REPORTS = {
    "anyOf": [
        {"type": "array", "items": TargetedReportSchema, "maxItems": MOST_REPORTS},
        TargetedReportSchema,
    ]
}

POLLED = {  # documented by hand: smorest's own decorator would cost every poll some time
    "description": "Hand-outs, or none; to a person who opens the address, the tasks that wait.",
    "content": {"application/json": {"schema": {"type": "array", "items": {"anyOf": [HandOutSchema, TaskSchema]}}}},
    "headers": told(Retry_After="The seconds after which to ask again."),
}

_hand_outs = HandOutSchema(many=True)
_task = TaskSchema()
_page = TasksSchema()
_report = TargetedReportSchema()


@tasks.route("/tasks/pending")
@tasks.reads(
    query("limit", "Panels over all hand-outs.", type="integer", minimum=1, maximum=MOST_POLLED, default=PANELS),
    query("domain", "A site that the client has a tab for; may be repeated."),
    query("holding", "The receipts that the client has, separated by commas."),
    *WORKER,
)
@tasks.doc(responses={200: POLLED, **dict.fromkeys((*ANY_REFUSALS, 422), EMPTY_POLL)})
def pending() -> Response:
    """Claim panels to draw: a list of hand-outs, empty when there is nothing; `Retry-After` says when to ask again."""
    if claims_nothing():
        return after_poll(jsonify(_task.dump(_waiting(), many=True)))
    poll = _poll()
    hand_outs = take(poll)
    found = bool(hand_outs)
    response = jsonify(_hand_outs.dump(hand_outs)) if found else Response(NOTHING, mimetype="application/json")
    return after_poll(response, poll, found)


@tasks.route("/tasks")
@tasks.arguments(TaskPageSchema, location="query")
@tasks.reads(header("If-None-Match", "The `ETag` of the snapshot that the client has."))
@tasks.response(200, TasksSchema, headers=told(ETag="Names this snapshot."))
@tasks.alt_response(304, description="It is the snapshot that the client has.", headers=told(ETag="Names it."))
def list_tasks(page: dict[str, Any]) -> Any:
    """Show tasks, last changed first; an `ETag` makes an unchanged snapshot a 304."""
    session = db.session()
    etag = _etag(f"{revision(session)} {snapshots.lapsed_since(session)} {request.query_string!r}")
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    else:
        found, cursor = snapshots.tasks(session, policy(), _filter(page), page["limit"], task_cursor(page["cursor"]))
        response = jsonify(_page.dump({"tasks": found, "next": encoded(cursor)}))
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-cache"
    return response


@tasks.route("/tasks", methods=["POST"])
@tasks.arguments(NewTaskSchema)
@tasks.reads(IDEMPOTENCY_KEY)
@tasks.response(201, TaskSchema, headers=told(Location="Where the task is."))
@tasks.alt_response(
    200,
    schema=TaskSchema,
    description="There is an open task with this correlationId.",
    headers=told(Location="Where it is."),
)
def create_task(draft: PictureDraft) -> Any:
    """Queue one picture; an open `correlationId` answers 200 with its task."""
    with db.writing() as session:
        queued = submit_picture(session, policy(), draft, settings().site_defaults, idempotency_key())
        shown = snapshots.task(session, policy(), queued.task.id)
    return shown, 201 if queued.is_new else 200, {"Location": f"/tasks/{shown.id}"}


@tasks.route("/tasks/<task_id>")
@tasks.response(200, TaskSchema)
@tasks.refuses(404)
def show_task(task_id: str) -> Any:
    """Show one task, by task id, receipt or correlationId."""
    session = db.session()
    return snapshots.task(session, policy(), snapshots.find_task(session, task_id))


@tasks.route("/tasks/<task_id>/events")
@tasks.arguments(PageSchema, location="query")
@tasks.response(200, EventsSchema)
@tasks.refuses(404)
def list_events(page: dict[str, Any], task_id: str) -> Any:
    """Show a task's history, oldest first."""
    session = db.session()
    found = snapshots.find_task(session, task_id)
    events, following = snapshots.events(session, found, page["limit"], whole_cursor(page["cursor"]) or 0)
    return {"events": events, "next": None if following is None else str(following)}


@tasks.route("/tasks/<task_id>", methods=["PATCH"])
@tasks.arguments(ReportSchema)
@tasks.reads(*WORKER)
@tasks.response(200, {"anyOf": [ReportedTaskSchema, ReportedHandOutSchema]})
@tasks.refuses(404, 409)
def update_task(update: dict[str, Any], task_id: str) -> Any:
    """Report about a receipt, a task or a hand-out; `directive` says whether to go on drawing it."""
    reported = take_reports([report_of(update, task_id)])
    (outcome,) = reported.outcomes
    if outcome.error is not None:
        raise outcome.error
    if outcome.is_conflict:
        return problem(409, StaleReport.title, _stale(task_id), directive=outcome.directive)
    return jsonify(_shown(outcome, reported.tasks))


@tasks.route("/tasks/status", methods=["POST"])
@tasks.reads(*WORKER)
@tasks.doc(requestBody={"content": {"application/json": {"schema": ONE_OR_MORE_REPORTS}}, "required": True})
@tasks.response(200, ResultsSchema)
def update_tasks() -> Any:
    """Report about up to 100 receipts, tasks or hand-outs at once; one bad item spoils no other."""
    body = read_json(request)
    if not isinstance(body, list | dict):
        raise Invalid("The body cannot be used.", [FieldError("", "Must be a report or a list of reports.")])
    items = body if isinstance(body, list) else [body]
    if len(items) > MOST_REPORTS:
        raise Invalid("Too many reports.", [FieldError("", f"Must have at most {MOST_REPORTS} items.")])
    loaded = [_loaded(item) for item in items]
    reported = take_reports([one for one in loaded if isinstance(one, Report)])
    told = iter(reported.outcomes)
    results = [_result(one.target, next(told), reported.tasks) if isinstance(one, Report) else one for one in loaded]
    return jsonify({"results": results})


def _waiting() -> list[snapshots.TaskSnapshot]:
    return snapshots.waiting(db.session(), policy(), PANELS)


def _poll() -> Poll:
    args = this_request().args
    if not args:
        return Poll(poller(), PANELS)
    domains = [part.strip().lower() for value in args.getlist("domain") for part in value.split(",")]
    holding = args.get("holding")
    return Poll(
        poller=poller(),
        limit=_limit(args.get("limit")),
        domains=frozenset(filter(None, domains)) if domains else None,
        holding=None if holding is None else _receipts(holding),
    )


def _limit(text: str | None) -> int:
    if text is None:
        return PANELS
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST_POLLED):
        raise Invalid("The limit cannot be used.", [FieldError("/limit", f"Must be a number from 1 to {MOST_POLLED}.")])
    return int(text)


def _receipts(text: str) -> frozenset[Receipt]:
    """The receipts in a list; what is none of ours is ignored."""
    matches = (RECEIPT.fullmatch(part.strip()) for part in text.split(","))
    return frozenset((int(match[1]), int(match[2])) for match in matches if match)


def _filter(page: dict[str, Any]) -> snapshots.TaskFilter:
    words = [word.strip() for word in page.get("status", "").split(",") if word.strip()]
    unknown = [word for word in words if word not in set(TaskStatus)]
    if unknown:
        known = ", ".join(TaskStatus)
        raise Invalid(
            "The status cannot be used.",
            [FieldError("/status", f"{unknown[0][:50]!r} is not one of {known}.")],
        )
    statuses = frozenset(TaskStatus(word) for word in words)
    return snapshots.TaskFilter(statuses, page.get("comic"), page.get("worker"))


def _etag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _shown(outcome: Outcome, found: dict[int, snapshots.TaskSnapshot]) -> Any:
    """A task, or a hand-out's tasks, as they are after a report, each with its directive."""
    shown = [
        {**cast("dict[str, Any]", _task.dump(found[task_id])), "directive": verdict.directive}
        for task_id, verdict in outcome.verdicts.items()
    ]
    if outcome.hand_out:
        return {"id": outcome.hand_out, "tasks": shown, "directive": outcome.directive}
    return shown[0] if shown else None


def _stale(target: str) -> str:
    return f"{target[:100]} is over or is another worker's; stop drawing it."


def _loaded(item: Any) -> Report | dict[str, Any]:
    """The report that an item of a list is, or its result if it is none."""
    try:
        refuse_harmful(item)
        data = cast("dict[str, Any]", _report.load(item))
    except ValidationError as error:
        name = item.get("taskId") if isinstance(item, dict) else None
        errors = list(flatten(error.messages))
        body = problem_body(422, "Unprocessable Entity", "The report cannot be read.", errors)
        return {"taskId": name, "status": 422, "problem": body, "directive": "stop"}
    return report_of(data, data.pop("target"))


def _result(target: str, outcome: Outcome, found: dict[int, snapshots.TaskSnapshot]) -> dict[str, Any]:
    result: dict[str, Any] = {"taskId": target, "directive": outcome.directive}
    if outcome.error is not None:
        body = of_queue_error(outcome.error)
        return {**result, "status": body["status"], "problem": body}
    if outcome.is_conflict:
        return {**result, "status": 409, "problem": problem_body(409, StaleReport.title, _stale(target))}
    return {**result, "status": 200, "task": _shown(outcome, found)}
