"""Traits that hold documents: mappings become checked models, and each mistake is named by its path."""

from __future__ import annotations

from typing import Any

from naas_client.errors import InvalidInput
from naas_client.settings import Section
from naas_client.settings import validate as check_section
from pydantic import create_model
from traitlets import TraitError


def checked(key: str, kind: Any, value: object, source: str) -> Any:
    """A trait's value as ``kind`` says. Parameters: ``key``, the trait's name; ``source``, its class. Raises TraitError."""
    field: Any = {key: (kind, ...)}
    model = create_model("Trait", __base__=Section, **field)
    try:
        return getattr(check_section({key: value}, model, source), key)
    except InvalidInput as error:
        raise TraitError(error.message) from None
