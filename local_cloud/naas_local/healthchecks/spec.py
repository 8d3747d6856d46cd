"""What may be said about a check in a POST, and Healthchecks' words for what may not."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from naas_local.healthchecks import schedules
from naas_local.healthchecks.errors import Refused

SHORTEST, LONGEST = dt.timedelta(seconds=60), dt.timedelta(days=365)
_WORDS = {
    "too_long": "is too long",
    "string_too_long": "is too long",
    "string_type": "is not a string",
    "string_pattern_mismatch": "does not match pattern",
    "less_than_equal": "is too large",
    "greater_than_equal": "is too small",
    "bool_type": "is not a boolean",
    "literal_error": "has unexpected value",
    "list_type": "is not an array",
    "schedule": "is not a valid cron or OnCalendar expression",
    "timezone": "is not a valid timezone",
    "time_delta_type": "is not a number",
}


def _seconds(value: Any) -> Any:
    """Whole seconds alone; any number of them (a timedelta holds fewer than JSON can write)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return dt.timedelta(seconds=min(max(value, 0), LONGEST // dt.timedelta(seconds=1) + 1))
    return value


Seconds = Annotated[dt.timedelta, BeforeValidator(_seconds), Field(ge=SHORTEST, le=LONGEST)]
Keywords = Annotated[str, Field(max_length=200)]


class Spec(BaseModel):
    """A POST that makes or changes a check; what is left out stays as it is. Unknown keys are ignored, as Healthchecks does."""

    model_config = ConfigDict(strict=True)

    name: Annotated[str, Field(max_length=100)] | None = None
    slug: Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9_-]*$")] | None = None
    tags: Annotated[str, Field(max_length=500)] | None = None
    desc: str | None = None
    timeout: Seconds | None = None
    grace: Seconds | None = None
    schedule: Annotated[str, Field(max_length=100)] | None = None
    tz: Annotated[str, Field(max_length=36)] | None = None
    manual_resume: bool | None = None
    methods: Literal["", "POST"] | None = None
    channels: str | None = None
    unique: list[Literal["name", "slug", "tags", "timeout", "grace"]] | None = None
    subject: Keywords | None = None
    subject_fail: Keywords | None = None
    start_kw: Keywords | None = None
    success_kw: Keywords | None = None
    failure_kw: Keywords | None = None
    filter_subject: bool | None = None
    filter_body: bool | None = None
    filter_http_body: bool | None = None
    filter_default_fail: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, given: dict[str, Any]) -> dict[str, Any]:
        # None means "left out" below; a null that was sent is a wrong type, and no field is a float.
        return {key: 0.5 if value is None else value for key, value in given.items()}

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, value: str) -> str:
        if not schedules.is_schedule(value):
            raise PydanticCustomError("schedule", "no schedule")
        return value

    @field_validator("tz")
    @classmethod
    def _tz(cls, value: str) -> str:
        if value not in schedules.timezones():
            raise PydanticCustomError("timezone", "no time zone")
        return value


def read(given: dict[str, Any]) -> Spec:
    """The checked request. Raises Refused with the first thing that is wrong."""
    try:
        return Spec.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        # Locations inside an alternative or of an item of a list have more steps than the field's name.
        of_item = any(isinstance(step, int) for step in first["loc"])
        subject = f"an item in '{first['loc'][0]}'" if of_item else first["loc"][0]
        raise Refused(400, f"json validation error: {subject} {_WORDS.get(first['type'], 'is not valid')}") from None
