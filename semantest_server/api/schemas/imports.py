"""Imports: what may be asked of them, and how a file's rows look once they are checked."""

from typing import Any

from marshmallow import Schema, fields, post_load
from marshmallow.validate import OneOf, Range

from semantest_server.api.schemas.fields import Digits, Domain, Text
from semantest_server.api.schemas.outgoing import FieldErrorSchema, Outgoing
from semantest_server.imports.rows import Options
from semantest_server.models import (
    NAME_CHARACTERS,
    PATH_CHARACTERS,
    PROMPT_CHARACTERS,
    STYLE_CHARACTERS,
    TITLE_CHARACTERS,
    Priority,
)
from semantest_server.queue.drafts import MOST_PARALLEL

PRIORITIES = [priority.name.lower() for priority in Priority]


class ImportQuerySchema(Schema):
    """The options of the comic, over those in the file, and whether it is only tried."""

    title = Text(TITLE_CHARACTERS)
    style = Text(STYLE_CHARACTERS)
    priority = fields.String(validate=OneOf(PRIORITIES))
    parallel = Digits(validate=Range(1, MOST_PARALLEL))
    domain = Domain(NAME_CHARACTERS)
    download_folder = Text(PATH_CHARACTERS, data_key="downloadFolder")
    dry_run = fields.Boolean(data_key="dryRun", load_default=False)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Turn the options into what is checked, as it would have been written in the file."""
        is_tried = data.pop("dry_run")
        return {"options": Options(**{name: str(value) for name, value in data.items()}), "is_tried": is_tried}


class ImportItemSchema(Schema):
    """A panel in a file. Names have aliases, and what is not known is passed over with a warning."""

    prompt = fields.String(metadata={"maxLength": PROMPT_CHARACTERS})
    number = fields.Integer()
    chapter = fields.String()
    strip = fields.String()
    style = fields.String()
    caption = fields.String()
    speech = fields.String()
    notes = fields.String()
    output_path = fields.String(data_key="outputPath")
    download_folder = fields.String(data_key="downloadFolder")
    correlation_id = fields.String(data_key="correlationId")


class ImportRowSchema(Outgoing):
    """A row of a file as it would be queued; `place` is its line, or its number in the list."""

    place = fields.Integer()
    number = fields.Integer()
    chapter = fields.String(allow_none=True)
    strip = fields.String(allow_none=True)
    prompt = fields.String()
    final_prompt = fields.String(data_key="finalPrompt")
    style = fields.String(allow_none=True)
    caption = fields.String(allow_none=True)
    speech = fields.String(allow_none=True)
    notes = fields.String(allow_none=True)
    output_path = fields.String(data_key="outputPath")
    download_folder = fields.String(data_key="downloadFolder", allow_none=True)
    correlation_id = fields.String(data_key="correlationId", allow_none=True)


class ImportSchema(Outgoing):
    """A file as it would be queued. Pointers lead into `rows`, or to an option."""

    title = fields.String()
    style = fields.String(allow_none=True)
    priority = fields.String()
    parallel = fields.Integer()
    domain = fields.String(allow_none=True)
    download_folder = fields.String(data_key="downloadFolder", allow_none=True)
    rows = fields.List(fields.Nested(ImportRowSchema))
    errors = fields.List(fields.Nested(FieldErrorSchema))
    warnings = fields.List(fields.Nested(FieldErrorSchema))
