"""From the operator's file to the settings and command lines of the parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from naas_client.errors import InvalidInput
from naas_local.data import DataFolder
from naas_local.ports import free_port
from naas_local.product import Product


def product(folder: Path, settings: dict[str, Any]) -> Product:
    data, config = DataFolder(folder / "data"), folder / "naas.yaml"
    data.create()
    config.write_text(yaml.safe_dump(settings))
    return Product(data, config, free_port())


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"gateway": {"url": "http://127.0.0.1:1"}}, r"gateway\.url"),
        ({"hub": {"bind_url": "http://0.0.0.0:80"}}, r"hub\.bind_url"),
        ({"hub": {"data_dir": "/srv/naas"}}, r"hub\.data_dir"),
    ],
)
def test_what_follows_from_port_and_data_cannot_be_set(tmp_path: Path, settings: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{key}: .*--port and --data"):
        product(tmp_path, settings)


def test_secrets_of_a_real_iam_need_its_issuer(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"iam\.client_secret_file: .*iam\.issuer"):
        product(tmp_path, {"iam": {"client_secret_file": str(tmp_path / "secret")}})


def test_the_embedded_store_speaks_the_language_of_the_settings(tmp_path: Path) -> None:
    """Region, audience, role, groups and scratch: what gateway and agents are told is what the store expects."""
    storage = {
        "region": "eu-south-1",
        "audience": "s3",
        "role_arn": "arn:aws:iam:::role/Other",
        "scratch_bucket": "common",
    }
    made = product(tmp_path, {"storage": storage, "capabilities": {"storage": ["users/disk"]}})
    made.write_site()
    made.specs()
    config = json.loads((made.data.root / "store" / "config.json").read_text())
    assert {key: config[key] for key in storage} == storage
    assert config["storage_groups"] == ["users/disk"]
    site = yaml.safe_load(made.data.site.read_text())["storage"]
    assert {key: site[key] for key in storage} == storage


def test_a_sign_in_proxy_is_a_part_with_a_token_of_its_own(tmp_path: Path) -> None:
    proxy = {"public_url": "https://checks.example.org", "upstream": "unix:/run/healthchecks/web.sock"}
    made = product(tmp_path, {"healthchecks": {"sign_in": proxy}})
    made.write_site()
    part = next(spec for spec in made.specs() if spec.name == "sign-in")
    assert part.argv[1:] == ("-m", "naas_gateway.sign_in_proxy")
    site = yaml.safe_load(made.data.site.read_text())["healthchecks"]["sign_in"]
    assert site == {**proxy, "token_file": str(made.data.root / "secrets" / "sign-in-token")}


@pytest.mark.root
def test_people_on_this_machine_cannot_be_anyone_at_a_port_of_it(tmp_path: Path) -> None:
    proxy = {"public_url": "https://checks.example.org", "upstream": "http://127.0.0.1:8187"}
    with pytest.raises(InvalidInput, match=r"healthchecks\.sign_in\.upstream: .*Unix socket in a private folder"):
        product(tmp_path, {"healthchecks": {"sign_in": proxy}}).specs()


@pytest.mark.parametrize(
    ("place", "why"),
    [("missing", "Make the folder, or correct the path"), ("file", "is not a folder"), (".", "lie in one another")],
)
def test_a_folder_of_the_host_that_cannot_be_given_stops_the_start(tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "file").write_text("")
    folders = [{"name": "shared", "path": str(tmp_path / place)}]
    with pytest.raises(InvalidInput, match=rf"hub\.host_folders: shared: .*{why}"):
        product(tmp_path, {"hub": {"host_folders": folders}})


def test_folders_of_the_host_are_in_the_view_and_those_of_groups_in_the_store(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    group = {"name": "cygno", "bucket": "cygno-data", "groups": ["cygno"]}
    host = {"name": "shared", "path": str(tmp_path / "srv"), "read_only": True}
    made = product(tmp_path, {"storage": {"folders": [group]}, "hub": {"host_folders": [host]}})
    assert tmp_path / "srv" in made.reachable_paths()
    assert made.read_only_paths() == [tmp_path / "srv"]
    made.write_site()
    made.specs()
    config = json.loads((made.data.root / "store" / "config.json").read_text())
    assert config["folders"][0]["bucket"] == "cygno-data"


def test_the_embedded_healthchecks_knows_the_sites_mail_server(tmp_path: Path) -> None:
    made = product(tmp_path, {"mail": {"host": "smtp.example.org", "sender": "naas@example.org"}})
    made.write_site()
    (part,) = [spec for spec in made.specs() if spec.name == "healthchecks"]
    config = json.loads((made.data.root / "healthchecks" / "config.json").read_text())
    assert config["mail"]["host"] == "smtp.example.org"
    assert part.url == f"http://127.0.0.1:{made.ports['healthchecks']}" == config["url"]
    assert (made.data.root / "healthchecks" / "admin.key").stat().st_mode & 0o077 == 0


def test_a_healthchecks_server_of_the_site_takes_the_place_of_the_embedded_one(tmp_path: Path) -> None:
    made = product(tmp_path, {"healthchecks": {"url": "https://hc.example.org"}})
    assert "healthchecks" not in {spec.name for spec in made.specs()}
