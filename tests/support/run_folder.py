"""What spawner and agent leave in a server's run folder on a machine without mounts: plan and credentials."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from naas_client.files import write_private_json
from naas_client.models import Folder
from naas_storage.plan import ACCESS_NAME, PLAN_NAME, AgentPlan

FOLDERS = [
    Folder(name="alice", bucket="alice"),
    Folder(name="scratch", bucket="scratch", read_only=True),
    Folder(name="scratch-alice", bucket="scratch", prefix="alice"),
]


def prepare_run_folder(run: Path, url: str, session: dict[str, Any], **changes: Any) -> None:
    """A run folder of alice. Parameters: ``session``, credentials as STS names them; ``changes``, of the plan."""
    values: dict[str, Any] = {
        "key": "alice", "username": "alice", "folders": FOLDERS, "endpoint": url, "gateway_url": "http://127.0.0.1:9",
        "view": run / "view", "run": run, "cache": run / "cache", **changes,
    }  # fmt: skip
    (run / PLAN_NAME).write_text(AgentPlan(**values).model_dump_json())
    write_access(run, url, session)


def write_access(run: Path, url: str, session: dict[str, Any]) -> None:
    """The credentials as the agent keeps them."""
    ends = session["Expiration"].astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    access = {"Version": 1, "Expiration": ends, "ExpiresAt": ends, "Endpoint": url, "Region": "us-east-1"}
    write_private_json(run / ACCESS_NAME, {**access, **{name: session[name] for name in names}})
