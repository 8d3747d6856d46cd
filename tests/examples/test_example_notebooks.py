"""The example notebooks run from the first cell to the last, and are kept without outputs."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from naas_client.models import Folder
from naas_local.store import EmbeddedStore, embedded_store
from naas_storage.plan import ACCESS_NAME, PLAN_NAME, AgentPlan
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
LIMIT = 120
"""Seconds for one cell."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_valid_and_has_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    assert notebook.cells[0].source.startswith("# ")


def run(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run an example as alice with a home; what it printed. A cell that raises fails the test."""
    from nbclient import NotebookClient

    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    monkeypatch.setenv("IPYTHONDIR", str(home / ".ipython"))
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's machinery; the notebook's own would be outputs
        NotebookClient(
            notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(home)}}
        ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    noise = [output.text for output in outputs if output.get("name") == "stderr"]
    assert noise == []
    return "\n".join(str(output.get("text", "")) for output in outputs)


@pytest.mark.server
class TestFirstAnalysis:
    def test_it_saves_its_result_in_the_bucket(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bucket = tmp_path / "cloud-storage" / "alice"
        bucket.mkdir(parents=True)
        printed = run("first-analysis.ipynb", tmp_path, monkeypatch)
        assert "Saved in ~/cloud-storage/alice/first-analysis: results.json, scores.csv, separation.png" in printed
        assert "not connected" not in printed
        results = json.loads((bucket / "first-analysis" / "results.json").read_text())
        assert all(0.97 < row["auc"][0] < 1 and row["auc"][1] < 0.02 for row in results.values())
        assert (bucket / "first-analysis" / "separation.png").read_bytes().startswith(b"\x89PNG")

    def test_without_the_bucket_it_says_so_and_keeps_it_here(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        printed = run("first-analysis.ipynb", tmp_path, monkeypatch)
        assert "cloud-storage/alice is not connected" in printed
        assert (tmp_path / "local" / "first-analysis" / "scores.csv").stat().st_size > 1000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """The embedded store, and a run folder with alice's temporary credentials as her agent keeps them."""
    with TokenIssuer().running() as issuer, embedded_store(tmp_path / "store", issuer.url) as running:
        session = assume_role(running.url, issuer.token("alice"), running.role_arn)
        s3_client(running.url, session).create_bucket(Bucket="alice")
        folders = [
            Folder(name="alice", bucket="alice"),
            Folder(name="scratch", bucket="scratch", read_only=True),
            Folder(name="scratch-alice", bucket="scratch", prefix="alice"),
        ]
        where: dict[str, Any] = {name: tmp_path / name for name in ("run", "view", "cache")}
        plan = AgentPlan(
            key="alice", username="alice", folders=folders, endpoint=running.url, gateway_url=running.url, **where
        )
        where["run"].mkdir()
        (where["run"] / PLAN_NAME).write_text(plan.model_dump_json())
        ends = session["Expiration"].isoformat()
        keys = {key: session[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        access = {**keys, "ExpiresAt": ends, "Endpoint": running.url, "Region": "us-east-1"}
        (where["run"] / ACCESS_NAME).write_text(json.dumps(access))
        yield running


@pytest.mark.server
def test_the_three_doors_to_the_store(store: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAAS_STORAGE_RUN", str(tmp_path / "run"))
    printed = run("storage.ipynb", tmp_path, monkeypatch)
    assert "The two other doors below work all the same." in printed
    assert "storage-example/hello.txt" in printed
    assert "my part of scratch: ['alice/for-you.txt']" in printed
    assert "somebody else's part: AccessDenied" in printed
    assert "open until 20" in printed
