"""The dialect of the 2.x extension, served by the same engine."""

from typing import Any

from flask import Response, jsonify, request

from semantest_server import snapshots
from semantest_server.api.asking import claims_nothing, idempotency_key, policy, poller, settings
from semantest_server.api.blueprint import IDEMPOTENCY_KEY, WORKER, Blueprint, query, told
from semantest_server.api.polling import after_poll, take
from semantest_server.api.schemas.incoming import EventRequestSchema, TaskStatusSchema, picture_of
from semantest_server.api.schemas.outgoing import (
    AcceptedSchema,
    HealthSchema,
    PendingTaskSchema,
    ReceivedSchema,
    StatusesSchema,
    TaskSchema,
)
from semantest_server.api.tasks import PANELS
from semantest_server.clock import clock
from semantest_server.database import db
from semantest_server.queue.hand_outs import HandOut, Panel, Poll
from semantest_server.queue.report import give_back_held, note_failure_of_other_tab, report
from semantest_server.queue.statuses import Report, ReportStatus
from semantest_server.queue.submit import submit_picture

extension_v2 = Blueprint("extension_v2", __name__, description="The dialect of the 2.x extension.")

MOST_ASKED = 1_000


@extension_v2.route("/pending-tasks")
@extension_v2.reads(*WORKER)
@extension_v2.response(
    200,
    {
        "type": "object",
        "properties": {"tasks": {"type": "array", "items": {"anyOf": [PendingTaskSchema, TaskSchema]}}},
        "required": ["tasks"],
    },
    description="At most one task, since this client cannot keep two drawings apart; to a person, what waits.",
    headers=told(Retry_After="The seconds after which to ask again."),
)
@extension_v2.refuses(422)
def pending_tasks() -> Response:
    """Claim one panel to draw."""
    if claims_nothing():
        waiting = snapshots.waiting(db.session(), policy(), PANELS)
        return after_poll(jsonify({"tasks": TaskSchema(many=True).dump(waiting)}))
    poll = Poll(poller=poller(), limit=1, one_at_a_time=True)
    hand_outs = take(poll)
    tasks = [_task(one, panel) for one in hand_outs for panel in one.panels]
    return after_poll(jsonify({"tasks": tasks}), poll, bool(tasks))


@extension_v2.route("/task-status", methods=["POST"])
@extension_v2.arguments(TaskStatusSchema)
@extension_v2.reads(*WORKER)
@extension_v2.response(200, ReceivedSchema, description="Every well-formed report is received.")
def task_status(update: dict[str, Any]) -> Any:
    """Report about the panel in flight; without a `taskId`, an error gives back the one that is held."""
    target = update.pop("target", None)
    one, who = Report(target=target or "", **update), poller()
    with db.writing() as session:
        if target is None:
            if one.status is ReportStatus.ERROR:
                give_back_held(session, policy(), who, one)
        elif not note_failure_of_other_tab(session, policy(), who, one):
            report(session, policy(), who, [one])
    return {"received": True}


@extension_v2.route("/events", methods=["POST"])
@extension_v2.arguments(EventRequestSchema)
@extension_v2.reads(IDEMPOTENCY_KEY)
@extension_v2.response(200, AcceptedSchema, description="The picture is queued; ask about it by this correlationId.")
def create_event(event: dict[str, Any]) -> Any:
    """Queue one picture."""
    draft = picture_of(event)
    with db.writing() as session:
        queued = submit_picture(session, policy(), draft, settings().site_defaults, idempotency_key())
        name = queued.task.correlation_id or str(queued.task.id)
    return {"status": "accepted", "correlation_id": name}


@extension_v2.route("/status/batch")
@extension_v2.doc(parameters=[query("correlationIds", "Separated by commas.")])
@extension_v2.response(200, StatusesSchema, description="The status of the newest picture of each correlationId.")
def batch_status() -> Any:
    """Show the status of pictures, by the correlationIds of their submitter."""
    values = ",".join(request.args.getlist("correlationIds")).split(",")
    names = list(dict.fromkeys(value.strip() for value in values if value.strip()))[:MOST_ASKED]
    statuses = snapshots.statuses_of(db.session(), policy(), names)
    pairs = zip(names, statuses, strict=True)
    return {"requests": [{"correlation_id": name, "status": status} for name, status in pairs]}


@extension_v2.route("/health")
@extension_v2.response(200, HealthSchema, description="The server and its database answer.")
def health() -> Any:
    """Show whether the server works, how much waits and how many extensions poll."""
    found = snapshots.health(db.session(), policy())
    return {
        "status": "healthy",
        "pending_tasks": found.pending_tasks,
        "extensions_connected": found.workers_connected,
    }


def _task(one: HandOut, panel: Panel) -> dict[str, Any]:
    return {
        "id": panel.receipt,
        "type": "ImageGenerationRequestedEvent",
        "correlationId": panel.receipt,
        "payload": {
            "prompt": panel.prompt,
            "correlationId": panel.receipt,
            "domain": one.comic.domain,
            "outputPath": panel.output_path,
            "downloadFolder": panel.download_folder,
        },
        "timestamp": clock.now(db.session()).isoformat().replace("+00:00", "Z"),
    }
