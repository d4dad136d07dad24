"""What goes out."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields

from semantest_server.api.schemas.fields import Itself, UtcTime, id_field
from semantest_server.models import (
    ComicStatus,
    EventType,
    Priority,
    TaskStatus,
)
from semantest_server.queue.statuses import Directive


class Outgoing(Schema):
    """A schema that shows every one of its fields, and is documented so; what is not there is null."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Document the field as one that is always there."""
        field_obj.required = True


class FieldErrorSchema(Outgoing):
    """One thing wrong with the input."""

    pointer = fields.String()
    message = fields.String()


class ProblemSchema(Schema):
    """An error, as in RFC 9457."""

    class Meta:
        unknown = INCLUDE

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, allow_none=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))
    directive = fields.Enum(Directive, by_value=True)


class TaskSchema(Outgoing):
    """A task as it goes out."""

    id = id_field()
    batch_id = id_field(data_key="batchId")
    number = fields.Integer()
    status = fields.Enum(TaskStatus, by_value=True)
    prompt = fields.String()
    style = fields.String(allow_none=True)
    attempt = fields.Integer()
    receipt = fields.String(allow_none=True, metadata={"example": "341.2"})
    worker = fields.String(allow_none=True)
    leased_until = UtcTime(data_key="leasedUntil", allow_none=True)
    attempts_left = fields.Integer(data_key="attemptsLeft")
    available_at = UtcTime(data_key="availableAt", allow_none=True)
    progress = fields.Integer(allow_none=True)
    image_url = fields.String(data_key="imageUrl", allow_none=True)
    download_path = fields.String(data_key="downloadPath", allow_none=True)
    message = fields.String(allow_none=True)
    correlation_id = fields.String(data_key="correlationId", allow_none=True)
    output_path = fields.String(data_key="outputPath")
    download_folder = fields.String(data_key="downloadFolder")
    domain = fields.String()
    created_at = UtcTime(data_key="createdAt")
    updated_at = UtcTime(data_key="updatedAt")


class ReportedTaskSchema(TaskSchema):
    """A task after a report, with what the worker should do now."""

    directive = fields.Enum(Directive, by_value=True)


class TasksSchema(Outgoing):
    """A page of tasks, last changed first."""

    tasks = fields.List(fields.Nested(TaskSchema))
    next = fields.String(allow_none=True)


class EventSchema(Outgoing):
    """A line of history as it goes out."""

    id = id_field()
    at = UtcTime()
    type = fields.Enum(EventType, by_value=True)
    task_id = id_field(data_key="taskId")
    comic_id = id_field(data_key="batchId")
    attempt = fields.Integer(allow_none=True)
    worker = fields.Function(
        lambda event: event.worker.name if event.worker else None, metadata={"type": ["string", "null"]}
    )
    leased_until = UtcTime(data_key="leasedUntil", allow_none=True)
    message = fields.String(allow_none=True)
    details = fields.Dict(allow_none=True)


class EventsSchema(Outgoing):
    """A page of history, oldest first."""

    events = fields.List(fields.Nested(EventSchema))
    next = fields.String(allow_none=True)


class BlockedSchema(Outgoing):
    """Why nothing of a comic is handed out."""

    reason = fields.String()
    domain = fields.String(allow_none=True)
    until = UtcTime(allow_none=True)


class ProgressSchema(Outgoing):
    """How far a comic is."""

    total = fields.Integer()
    queued = fields.Integer()
    running = fields.Integer()
    completed = fields.Integer()
    failed = fields.Integer()
    cancelled = fields.Integer()
    current = fields.String(allow_none=True)
    eta = fields.String(allow_none=True)
    eta_seconds = fields.Integer(data_key="etaSeconds", allow_none=True)
    blocked = fields.Nested(BlockedSchema, allow_none=True)


class ComicSchema(Outgoing):
    """A comic as it goes out."""

    id = id_field(attribute="comic.id")
    title = fields.String(attribute="comic.title")
    status = fields.Enum(ComicStatus, by_value=True)
    style = fields.String(attribute="comic.style", allow_none=True)
    priority = fields.Function(
        lambda snapshot: Priority(snapshot.comic.priority).name.lower(),
        metadata={"type": "string", "enum": [priority.name.lower() for priority in Priority]},
    )
    parallel = fields.Integer(attribute="comic.parallel")
    domain = fields.String(attribute="comic.domain")
    download_folder = fields.String(attribute="comic.download_folder", data_key="downloadFolder")
    created_at = UtcTime(attribute="comic.created_at", data_key="createdAt")
    updated_at = UtcTime(attribute="comic.updated_at", data_key="updatedAt")
    progress = fields.Nested(ProgressSchema)


class ComicsSchema(Outgoing):
    """A page of comics, newest first."""

    comics = fields.List(fields.Nested(ComicSchema))
    next = fields.String(allow_none=True)


class HandedPanelSchema(Outgoing):
    """One panel of a hand-out; its id is the receipt."""

    receipt = fields.String(data_key="id", metadata={"example": "341.1"})
    number = fields.Integer()
    prompt = fields.String()
    output_path = fields.String(data_key="outputPath")
    download_folder = fields.String(data_key="downloadFolder")


class OptionsSchema(Outgoing):
    """What holds for every panel of a hand-out."""

    style = fields.String(allow_none=True)
    parallel = fields.Integer()
    domain = fields.String()


class PayloadSchema(Outgoing):
    """What is to be drawn."""

    batch_id = id_field(data_key="batchId", attribute="comic.id")
    title = fields.String(attribute="comic.title")
    panels = fields.List(fields.Nested(HandedPanelSchema))
    options = fields.Nested(OptionsSchema, attribute="comic")


class HandOutSchema(Outgoing):
    """What one poll gave one worker of one comic."""

    id = fields.String(metadata={"example": "h-7f3c-12"})
    type = fields.Constant("bulkImageGeneration", metadata={"type": "string", "enum": ["bulkImageGeneration"]})
    leased_until = UtcTime(data_key="leasedUntil")
    payload = Itself(PayloadSchema)


class ReportedHandOutSchema(Outgoing):
    """A hand-out after a report, with its tasks."""

    id = fields.String(metadata={"example": "h-7f3c-12"})
    tasks = fields.List(fields.Nested(ReportedTaskSchema))
    directive = fields.Enum(Directive, by_value=True)


class ResultSchema(Schema):
    """What became of one report: a `task` as it is now, or a `problem`."""

    target = fields.Raw(data_key="taskId", required=True, metadata={"description": "As it was sent."})
    status = fields.Integer(required=True)
    directive = fields.Enum(Directive, by_value=True, required=True)
    task = fields.Raw(
        metadata={
            "anyOf": [
                {"$ref": "#/components/schemas/ReportedTask"},
                {"$ref": "#/components/schemas/ReportedHandOut"},
            ]
        }
    )
    problem = fields.Nested(ProblemSchema)


class ResultsSchema(Outgoing):
    """What became of each report, in their order."""

    results = fields.List(fields.Nested(ResultSchema))


class PayloadV2Schema(Outgoing):
    """What is to be drawn, in the 2.x dialect."""

    prompt = fields.String()
    correlation_id = fields.String(data_key="correlationId")
    domain = fields.String()
    output_path = fields.String(data_key="outputPath")
    download_folder = fields.String(data_key="downloadFolder")


class PendingTaskSchema(Outgoing):
    """One panel in the 2.x dialect; its ids are the receipt."""

    id = fields.String(metadata={"example": "341.1"})
    type = fields.String(metadata={"enum": ["ImageGenerationRequestedEvent"]})
    correlation_id = fields.String(data_key="correlationId")
    payload = fields.Nested(PayloadV2Schema)
    timestamp = UtcTime()


class ReceivedSchema(Outgoing):
    """That a report of the 2.x dialect has arrived."""

    received = fields.Boolean()


class AcceptedSchema(Outgoing):
    """That a picture is queued, and what to ask about it by."""

    status = fields.String()
    correlation_id = fields.String(data_key="correlationId")


class StatusSchema(Outgoing):
    """What became of one picture; `unknown` if there is none."""

    correlation_id = fields.String(data_key="correlationId")
    status = fields.String()


class StatusesSchema(Outgoing):
    """What became of pictures."""

    requests = fields.List(fields.Nested(StatusSchema))


class HealthSchema(Outgoing):
    """How the server is."""

    status = fields.String()
    pending_tasks = fields.Integer(data_key="pendingTasks")
    extensions_connected = fields.Integer(data_key="extensionsConnected")
