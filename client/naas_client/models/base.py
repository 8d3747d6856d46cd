"""What every document shares, and the shape of every list."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """Base of all models: unknown fields of a newer sender are ignored, values are checked."""

    model_config = ConfigDict(extra="ignore")


Item = TypeVar("Item")


class Page(Document, Generic[Item]):
    """The shape of every list: filtered and paged on the server."""

    items: list[Item]
    total: int
    next: str | None = None
