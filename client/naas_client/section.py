"""The base of everything that ``naas.yaml`` holds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all settings: an unknown key is an error, with its path."""

    model_config = ConfigDict(extra="forbid", frozen=True)
