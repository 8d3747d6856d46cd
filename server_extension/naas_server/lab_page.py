"""What JupyterLab's page loads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Hook = Callable[[Any, dict[str, Any]], dict[str, Any]]
"""Changes the page's configuration: Jupyter Server's setting ``page_config_hook``."""


def only_enabled(hook: Hook | None) -> Hook:
    """A hook after which the page does not fetch extensions that are switched off as a whole; Lab itself would, and not start them.

    Parameters: ``hook``, the one before it.
    """

    def changed(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        found = hook(handler, page_config) if hook else page_config
        disabled = set(found.get("disabledExtensions", []))
        federated = [one for one in found.get("federated_extensions", []) if one["name"] not in disabled]
        return {**found, "federated_extensions": federated}

    return changed
