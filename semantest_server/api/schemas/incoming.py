"""What comes in: form is checked here, facts by the queue."""

import json
import re
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

from semantest_server.api.schemas.fields import DIGITS, LARGEST_WHOLE, Digits, Domain, Name, Text, Whole
from semantest_server.errors import FieldError, Invalid
from semantest_server.models import (
    NAME_CHARACTERS,
    PATH_CHARACTERS,
    PROMPT_CHARACTERS,
    STYLE_CHARACTERS,
    TEXT_CHARACTERS,
    TITLE_CHARACTERS,
    URL_CHARACTERS,
    ComicStatus,
    Priority,
)
from semantest_server.paths import make_relative
from semantest_server.queue.drafts import MOST_NUMBER, MOST_PANELS, PARALLEL, ComicDraft, PanelDraft, PictureDraft
from semantest_server.queue.statuses import Report, ReportStatus

IMAGE_URL = r"(?:https?://[^\s\"'<>\\]+|data:image/[a-zA-Z0-9.+-]+[;,][^\s\"'<>\\]*)"
MOST_REPORTS = 100
DETAILS_CHARACTERS = 20_000
PATHS = {"outputPath": "output_path", "fileName": "file_name", "imagePath": "image_path"}  # first one wins
PRIORITIES = [priority.name.lower() for priority in Priority]


class PanelSchema(Schema):
    """One panel of a comic that comes in."""

    prompt = Text(PROMPT_CHARACTERS, required=True)
    number = Whole(allow_none=True, validate=Range(1, MOST_NUMBER))
    style = Text(STYLE_CHARACTERS, allow_none=True)
    output_path = Text(PATH_CHARACTERS, allow_none=True, data_key="outputPath")
    download_folder = Text(PATH_CHARACTERS, allow_none=True, data_key="downloadFolder")
    correlation_id = Name(allow_none=True, data_key="correlationId")
    chapter = Text(NAME_CHARACTERS, allow_none=True)
    strip = Text(NAME_CHARACTERS, allow_none=True)
    caption = Text(TEXT_CHARACTERS, allow_none=True)
    speech = Text(TEXT_CHARACTERS, allow_none=True)
    notes = Text(TEXT_CHARACTERS, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> PanelDraft:
        """Turn it into a draft."""
        return PanelDraft(**data)


class NewComicSchema(Schema):
    """A comic that comes in, with `panels` or, shorter, `prompts`."""

    title = Text(TITLE_CHARACTERS, required=True)
    panels = fields.List(
        fields.Nested(PanelSchema),
        validate=Length(1, MOST_PANELS, error=f"Must have 1 to {MOST_PANELS:,} panels."),
    )
    prompts = fields.List(
        Text(PROMPT_CHARACTERS),
        validate=Length(1, MOST_PANELS, error=f"Must have 1 to {MOST_PANELS:,} prompts."),
    )
    style = Text(STYLE_CHARACTERS, allow_none=True)
    priority = fields.String(load_default="normal", validate=OneOf(PRIORITIES))
    parallel = Whole(load_default=PARALLEL, validate=Range(1, 100))
    domain = Domain(NAME_CHARACTERS, allow_none=True)
    download_folder = Text(PATH_CHARACTERS, allow_none=True, data_key="downloadFolder")

    @validates_schema
    def check_panels(self, data: dict[str, Any], **_: Any) -> None:
        """Exactly one of the two ways to say what is on the panels."""
        if ("panels" in data) == ("prompts" in data):
            raise ValidationError("Give either panels or prompts.", "panels")

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> ComicDraft:
        """Turn it into a draft."""
        prompts = data.pop("prompts", None)
        panels = data.pop("panels", None) or [PanelDraft(prompt) for prompt in prompts or ()]
        return ComicDraft(panels=panels, priority=Priority[data.pop("priority").upper()], **data)


class ComicPatchSchema(Schema):
    """What of a comic to change."""

    status = fields.String(validate=OneOf([ComicStatus.ACTIVE, ComicStatus.PAUSED, ComicStatus.CANCELLED]))
    priority = fields.String(validate=OneOf(PRIORITIES))
    parallel = Whole(validate=Range(1, 100))
    title = Text(TITLE_CHARACTERS)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Turn the status and the priority into what the queue calls them."""
        if "status" in data:
            data["status"] = ComicStatus(data["status"])
        if "priority" in data:
            data["priority"] = Priority[data["priority"].upper()]
        return data


class RetrySchema(Schema):
    """Which tasks to bring back; all failed and cancelled ones if none are named."""

    may_be_empty = True

    tasks = fields.List(Name(), allow_none=True, validate=Length(1, MOST_PANELS))


class NewTaskSchema(PanelSchema):
    """One picture that comes in."""

    class Meta:
        exclude = ("number",)

    domain = Domain(NAME_CHARACTERS, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> PictureDraft:
        """Turn it into a draft."""
        return PictureDraft(domain=data.pop("domain", None), panel=PanelDraft(**data))


class OpenSchema(Schema):
    """A schema that keeps what it does not know, apart, as `details`: clients differ."""

    class Meta:
        unknown = EXCLUDE  # or an unknown field could have the name of one of ours in Python

    @post_load(pass_original=True)
    def keep_unknown(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Set aside what is not known."""
        known = {field.data_key or name for name, field in self.fields.items()}
        details = {name: value for name, value in original.items() if name not in known}
        if len(json.dumps(details)) > DETAILS_CHARACTERS:
            raise ValidationError(f"Unknown fields may have {DETAILS_CHARACTERS:,} characters in all.")
        return {**data, "details": details}


class ReportSchema(OpenSchema):
    """A status update; fields that are not known here are kept as details."""

    status = fields.Enum(ReportStatus, by_value=True, required=True)
    progress = Digits(
        allow_none=True,
        validate=Range(0, 100),
        metadata={"type": ["integer", "string"], "pattern": f"^{DIGITS.pattern}$"},
    )
    image_url = fields.String(
        allow_none=True,
        data_key="imageUrl",
        validate=[
            Length(max=URL_CHARACTERS),
            Regexp(re.compile(rf"{IMAGE_URL}\Z"), error="Must be an http(s) address or a data:image."),
        ],
        metadata={"pattern": f"^{IMAGE_URL}$"},  # in the words of ECMA-262, which has no \Z
    )
    download_path = fields.String(allow_none=True, data_key="downloadPath", validate=Length(max=4_096))
    message = fields.String(allow_none=True, validate=Length(max=10_000))
    tab_id = Name(allow_none=True, data_key="tabId")


class TargetedReportSchema(ReportSchema):
    """A status update that says what it is about."""

    target = Name(required=True, data_key="taskId")


class TaskStatusSchema(ReportSchema):
    """A status update of the 2.x dialect, which may not say what it is about."""

    target = Name(allow_none=True, data_key="taskId")


def report_of(data: dict[str, Any], target: str) -> Report:
    """The report that a loaded status update is."""
    return Report(target=target, **data)


class PageSchema(Schema):
    """How much of a list to show, and from where on."""

    class Meta:
        unknown = EXCLUDE

    limit = Digits(load_default=50, validate=Range(1, 200))
    cursor = fields.String(load_default=None, allow_none=True)


class TaskPageSchema(PageSchema):
    """Which tasks to show."""

    status = fields.String()
    comic = Digits(validate=Range(0, LARGEST_WHOLE))
    worker = fields.String()


class EventPayloadSchema(OpenSchema):
    """What a submitter of the 2.x dialect wants drawn; what is not known is kept as details."""

    prompt = Text(PROMPT_CHARACTERS, required=True)
    correlation_id = Name(allow_none=True, data_key="correlationId")
    domain = Domain(NAME_CHARACTERS, allow_none=True)
    output_path = fields.String(allow_none=True, data_key="outputPath")
    file_name = fields.String(allow_none=True, data_key="fileName")
    image_path = fields.String(allow_none=True, data_key="imagePath")
    download_folder = fields.String(allow_none=True, data_key="downloadFolder")
    style = Text(STYLE_CHARACTERS, allow_none=True)


class EventRequestSchema(OpenSchema):
    """An event of the 2.x dialect that asks for one picture."""

    type = fields.String(required=True, validate=OneOf(["ImageGenerationRequestedEvent", "PromptRequestedEvent"]))
    id = Name(allow_none=True)
    correlation_id = Name(allow_none=True, data_key="correlationId")
    payload = fields.Nested(EventPayloadSchema, required=True)


def picture_of(event: dict[str, Any]) -> PictureDraft:
    """The picture that a loaded event asks for."""
    payload = event["payload"]
    names = (event.get("correlation_id"), payload.get("correlation_id"), event.get("id"))
    paths = {name: payload.get(field) for name, field in PATHS.items()}
    named = next((name for name, path in paths.items() if path), "outputPath")
    panel = PanelDraft(
        prompt=payload["prompt"],
        style=payload.get("style"),
        output_path=_relative(named, paths[named]),
        download_folder=_relative("downloadFolder", payload.get("download_folder")),
        correlation_id=next((name for name in names if name), None),
    )
    return PictureDraft(panel, payload.get("domain"), {**event["details"], **payload["details"]})


def _relative(name: str, path: str | None) -> str | None:
    if not path:
        return None
    try:
        relative = make_relative(path)
    except ValueError as error:
        raise Invalid("The picture cannot be queued.", [FieldError(f"/payload/{name}", str(error))]) from None
    if len(relative) > PATH_CHARACTERS:
        message = f"Must have 1 to {PATH_CHARACTERS} characters."
        raise Invalid("The picture cannot be queued.", [FieldError(f"/payload/{name}", message)])
    return relative
