"""JupyterLab finds our Italian, and it covers what the server extension itself says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import naas_server
import pytest
from lab_server import Desk, jupyter
from naas_gateway.services.provisioners.own import CLOSED, MISSING
from naas_gateway.services.provisioners.rgw import FOREIGN
from naas_gateway.services.shared import CLASHING
from naas_gateway.services.storage import TOO_MANY

PACKAGE = Path(naas_server.__file__).parent
CATALOGUE = PACKAGE / "locale" / "it_IT" / "LC_MESSAGES" / "jupyterlab_naas.json"
SENTENCE = re.compile(r"\"([A-Z][^\"{}]+ [^\"{}]+\.)\",?\s*(?:code=|\)|\"no-storage\")")


@pytest.mark.server
def test_lab_serves_our_italian(tmp_path: Path) -> None:
    with jupyter(Desk.at(tmp_path), "lab") as server, httpx.Client(base_url=server.url, timeout=60) as browser:
        packs = browser.get("lab/api/translations/it_IT", headers={"Authorization": f"token {server.token}"}).json()
        assert packs["data"]["jupyterlab_naas"]["Saved"] == ["Salvato"]
        assert (
            packs["data"]["jupyterlab_naas"][""]["language"] == packs["data"]["jupyterlab"][""]["language"] == "it-IT"
        )


@pytest.mark.parametrize("module", ["storage.py", "gateway.py", "events.py"])
def test_what_the_panel_shows_of_our_errors_is_in_italian(module: str) -> None:
    catalogue = json.loads(CATALOGUE.read_text())
    said = SENTENCE.findall((PACKAGE / module).read_text())
    assert said
    assert [sentence for sentence in said if sentence not in catalogue] == []


@pytest.mark.parametrize("sentence", [CLASHING, CLOSED, FOREIGN, MISSING, TOO_MANY])
def test_why_a_groups_folder_is_not_there_is_in_italian(sentence: str) -> None:
    assert sentence in json.loads(CATALOGUE.read_text())
