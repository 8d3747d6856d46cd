"""The whole service by `naas deploy compose` and Debian's `docker-compose`: over https, with a server that outlives its hub."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from compose_site import ComposeSite, compose_site, deploy
from containers import docker
from hub_session import HubSession, Kernel
from playwright.sync_api import Browser, Page, expect
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse, pytest.mark.docker]

PARTS = ("web", "proxy", "hub", "gateway", "postgres", "mounts", "network", "containers")
SAVE = "import pathlib; (pathlib.Path.home() / {place!r}).write_text({text!r})"
REACH = """
import socket
for address in (("169.254.169.254", 80), ("127.203.16.1", 8001), ("10.203.16.1", 8001)):
    try:
        socket.create_connection(address, 3).close()
        print("reached", address)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeSite]:
    with compose_site(tmp_path_factory.mktemp("compose")) as found:
        found.up()
        yield found


@pytest.fixture(scope="module")
def alice(site: ComposeSite) -> Iterator[HubSession]:
    """Alice with a server whose folders are connected."""
    with site.session("alice") as session:
        assert session.sign_in().status_code == 200
        session.start_server()
        session.wait_connected()
        yield session


def stored(site: ComposeSite, key: str) -> bytes | None:
    """An object in alice's bucket, as the store's own disk has it."""
    file = site.store.buckets / "alice" / key
    return file.read_bytes() if file.is_file() else None


def test_plain_http_leads_to_https(site: ComposeSite) -> None:
    port = site.settings["deploy"]["http_port"]
    answer = httpx.get(f"http://localhost:{port}/hub/login?next=x", timeout=10)
    assert (answer.status_code, answer.headers["location"]) == (308, f"{site.url}/hub/login?next=x")


def test_the_session_cookie_is_for_https_only(site: ComposeSite) -> None:
    with site.session("bob") as bob:
        assert bob.sign_in().status_code == 200
        cookies = [cookie for cookie in bob.http.cookies.jar if cookie.name.startswith("jupyterhub-session")]
        assert cookies
        assert all(cookie.secure for cookie in cookies)


def test_what_alice_saves_is_in_her_bucket(site: ComposeSite, alice: HubSession) -> None:
    with alice.kernel() as kernel:
        kernel.run(SAVE.format(place="cloud-storage/alice/result.txt", text="42"))
        kernel.run(SAVE.format(place="local/note", text="kept"))
    assert wait_for(lambda: stored(site, "result.txt"), "the upload") == b"42"


def test_a_server_reaches_neither_the_proxys_api_nor_the_metadata_address(alice: HubSession) -> None:
    with alice.kernel() as kernel:
        assert kernel.run(REACH) == ""


def test_the_engine_shows_no_secret(site: ComposeSite, alice: HubSession) -> None:
    ids = [site.container(part) for part in PARTS]
    assert all(ids)
    shown = docker("inspect", *ids)
    for file in (site.folder / "secrets").iterdir():
        assert file.read_text().strip() not in shown, file.name
    for part in json.loads(shown):
        assert part["HostConfig"]["Privileged"] is False, part["Name"]
        assert part["HostConfig"]["ReadonlyRootfs"], part["Name"]
        assert part["HostConfig"]["LogConfig"]["Config"]["max-size"] == "10m", part["Name"]


def test_a_server_goes_on_while_hub_gateway_and_helper_are_made_anew(site: ComposeSite, alice: HubSession) -> None:
    with alice.kernel() as kernel:
        kernel.run("x = 41")
        before = site.container("hub"), site.container("gateway"), site.container("containers")
        site.settings["site"] = {"name": "Notebooks of the test"}
        assert "changed: config/naas.yaml" in site.write()
        site.up()
        site.compose("restart", "mounts", "proxy")
        site.wait_healthy("mounts")
        site.wait_healthy("proxy")
        after = site.container("hub"), site.container("gateway"), site.container("containers")
        assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True]
        again = Kernel(alice, kernel.id)  # the proxy has cut the first connection
        assert again.run("print(x + 1)") == "42\n"
        again.close()
    assert "Notebooks of the test" in alice.http.get("/hub/home").text
    alice.wait_connected()
    with alice.kernel() as kernel:
        assert (
            kernel.run("print((__import__('pathlib').Path.home() / 'cloud-storage/alice/result.txt').read_text())")
            == "42\n"
        )


@pytest.mark.browser
def test_a_browser_opens_lab_over_https(
    site: ComposeSite, alice: HubSession, browser: Browser, picture: Callable[[Page, str], None]
) -> None:
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.goto(site.url)
    page.get_by_role("link", name="Sign in with").click()
    page.get_by_label("Username").fill(alice.name)
    page.get_by_label("Password").fill(alice.name)
    page.keyboard.press("Enter")
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("cloud-storage", exact=True).first).to_be_visible(timeout=30_000)
    picture(page, "compose-lab")
    context.close()


def test_down_sends_what_is_not_sent_yet_and_leaves_data_and_secrets(site: ComposeSite, alice: HubSession) -> None:
    with alice.kernel() as kernel:
        kernel.run(SAVE.format(place="cloud-storage/alice/last.txt", text="sent"))
    site.down()
    assert stored(site, "last.txt") == b"sent"
    assert site.leftovers() == []
    assert sorted(path.name for path in site.folder.iterdir()) == sorted(
        [".env", ".naas-deploy.json", "README.md", "compose.yaml", "config", "data", "secrets"]
    )
    assert (site.data / "homes" / "alice" / "local" / "note").read_text() == "kept"


def test_up_again_knows_everybody(site: ComposeSite) -> None:
    assert site.write().startswith("Nothing has changed.")
    site.up()
    with site.session("alice") as alice:
        assert alice.sign_in().status_code == 200
        listed = alice.hub("GET", "/users/alice").json()
        assert listed["name"] == "alice"
        assert Path(site.data / "uids.json").exists()


@pytest.fixture
def elsewhere(site: ComposeSite, tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Another installation, in a folder that is a mount of its own."""
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["mount", "--bind", out, out], check=True)

    def write(propagation: str = "--make-shared", **changes: Any) -> subprocess.CompletedProcess[str]:
        subprocess.run(["mount", propagation, out], check=True)
        own = {**site.settings["deploy"], "name": f"{site.name}-2", "subnet": "10.203.24.0/24", **changes}
        (tmp_path / "naas.yaml").write_text(yaml.safe_dump({**site.settings, "deploy": own}))
        return deploy(tmp_path / "naas.yaml", out)

    yield write
    subprocess.run(["umount", out], check=True)


def test_addresses_that_the_machine_uses_are_refused(
    site: ComposeSite, elsewhere: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = elsewhere(subnet=site.settings["deploy"]["subnet"])
    assert done.returncode == 1
    assert f"overlaps with the engine's network {site.name}" in done.stderr


def test_mounts_that_no_container_would_see_are_refused(
    elsewhere: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = elsewhere("--make-private")
    assert done.returncode == 1
    assert (
        "whose mounts are private, so folders could not be shown in containers. Run `mount --make-rshared"
        in done.stderr
    )


def test_images_that_are_missing_are_named(elsewhere: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = elsewhere(web_image="naas-tests/not-there:1")
    assert done.returncode == 0, done.stderr
    assert "naas-tests/not-there:1 is not on this machine. Build it (`images/build.sh`), or pull it" in done.stdout
