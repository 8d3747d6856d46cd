"""`naas config check | schema | show`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from naas_client.cli import main

Site = Callable[..., Path]


def naas(*arguments: str, variable: str | None = None) -> Result:
    return CliRunner().invoke(main, ["config", *arguments], env={"NAAS_CONFIG": variable})


def test_check_of_a_good_file(site: Site) -> None:
    answer = naas("check", str(site()))
    assert (answer.exit_code, "no mistakes" in answer.output) == (0, True)


def test_check_takes_the_file_that_the_parts_take(site: Site) -> None:
    assert str(file := site()) in naas("check", variable=str(file)).output


@pytest.mark.parametrize(
    ("sections", "lines"),
    [({"hub": {"a": 1, "b": 2}}, 2), ({"hub": {"cookie_secret_file": "/nowhere", "proxy_token_file": "/nowhere"}}, 2)],
)
def test_check_of_a_bad_file(site: Site, sections: dict[str, object], lines: int) -> None:
    answer = naas("check", str(site(**sections)))
    assert answer.exit_code == 1
    assert len(answer.stderr.splitlines()) == lines


def test_secrets_that_naas_up_makes_itself_are_not_missed(tmp_path: Path) -> None:
    file = tmp_path / "naas.yaml"
    file.write_text("site: {name: Our notebooks}\n")
    assert naas("check", str(file)).exit_code == 0


def test_check_without_the_secrets(site: Site) -> None:
    assert naas("check", "--no-secrets", str(site(hub={"cookie_secret_file": "/nowhere"}))).exit_code == 0


def test_the_schema_describes_every_key_of_the_hub() -> None:
    document = json.loads(naas("schema").output)
    hub = document["$defs"]["HubSection"]["properties"]
    assert document["additionalProperties"] is False
    assert all(entry.get("description") for name, entry in hub.items() if name != "log_level")


def test_show_tells_where_a_value_comes_from_and_no_secret(site: Site, tmp_path: Path) -> None:
    file = site(hub={"db_url": "postgresql+psycopg2://hub:hunter2@db/hub"}, iam={"issuer": "https://iam.example.org"})
    answer = naas("show", str(file))
    lines = answer.output.splitlines()
    assert 'iam.issuer = "https://iam.example.org"  # file' in lines
    assert any(line.startswith("storage.url = ") and line.endswith("# default") for line in lines)
    assert any(line.startswith(f"hub.cookie_secret_file = set ({tmp_path}/cookie, mode 0600, ") for line in lines)
    assert 'hub.db_url = "postgresql+psycopg2://…@db/hub"  # file' in lines
    assert "hunter2" not in answer.output
    assert (tmp_path / "cookie").read_text() not in answer.output


@pytest.mark.server
def test_the_hub_does_not_start_with_a_bad_file_and_says_why(site: Site) -> None:
    file = site(hub={"bindurl": "x"})
    environment = {**os.environ, "NAAS_CONFIG": str(file)}
    answer = subprocess.run(
        [sys.executable, "-m", "naas_hub"], env=environment, cwd=file.parent, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode != 0
    assert answer.stderr.splitlines()[-1].startswith(f"{file}: hub.bindurl: unknown key.")
    assert "Traceback" not in answer.stderr
