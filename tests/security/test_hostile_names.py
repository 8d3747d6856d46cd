"""User names that mean something else as a path, a page, a bucket or another person, through the whole product."""

from __future__ import annotations

import pytest
from hub_session import HubSession
from naas_client.names import is_hub_name
from naas_local.iam import add_user
from product import Product

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]
HTML = '"><img src=x onerror=alert(1)>'
NAMES = [
    "ALICE",
    "\N{CYRILLIC SMALL LETTER A}lice",
    "\N{FULLWIDTH LATIN SMALL LETTER A}lice",
    "al\N{ZERO WIDTH SPACE}ice",
    "alice ",
    "al/ice",
    "../../alice",
    "..",
    "alice.bob",
    "a" * 300,
    "scratch",
    "scratch-bob",
    "root",
    "hub",
    HTML,
    "{{ 7*7 }}",
]
STARTED = ["../../alice", "a" * 300, HTML, "scratch-bob"]


@pytest.fixture(scope="module")
def hub_names(product: Product) -> dict[str, str]:
    """Each person added to IAM and signed in: the name in IAM → the name on the hub."""
    found = {}
    for name in NAMES:
        add_user(product.data / "iam", name, ["users/naas", "users/s3"], password="password")
        with HubSession(product.url, name) as session:
            page = session.sign_in("password")
            assert page.status_code == 200, name
            assert HTML not in page.text
            found[name] = session.hub("GET", "/user").json()["name"]
    return found


def test_every_name_becomes_one_that_can_be_used_and_nobody_elses(hub_names: dict[str, str]) -> None:
    assert all(is_hub_name(name) for name in hub_names.values())
    taken = {"alice", "bob", "carol", "dana", "erin"}
    assert len({*hub_names.values(), *taken}) == len(NAMES) + len(taken)


@pytest.mark.parametrize("name", STARTED)
def test_a_home_and_a_bucket_are_the_persons_own(product: Product, hub_names: dict[str, str], name: str) -> None:
    with HubSession(product.url, name) as session:
        session.sign_in("password")
        session.name = hub_names[name]
        session.start_server()
        try:
            session.wait_connected()
            with session.kernel() as kernel:
                kernel.run(
                    f"import pathlib; (pathlib.Path.home()/'cloud-storage'/{session.name!r}/'x').write_text('mine')"
                )
                home = kernel.run("import pathlib; print(pathlib.Path.home().resolve())").strip()
            for path in ("/hub/home", "/hub/spawn", "/hub/token"):
                assert HTML not in session.http.get(path, follow_redirects=True).text
        finally:
            session.stop_server()
    assert home == str((product.data / "homes" / session.name).resolve())
    assert (product.data / "store" / "buckets" / session.name / "x").read_text() == "mine"
    homes = {path.name for path in (product.data / "homes").iterdir()}
    assert all(is_hub_name(found) for found in homes)


def test_the_administrators_page_shows_no_ones_html(product: Product, hub_names: dict[str, str]) -> None:
    with HubSession(product.url, "dana") as dana:
        dana.sign_in()
        assert HTML not in dana.http.get("/hub/admin", follow_redirects=True).text
        listed = dana.hub("GET", "/users")
        assert (listed.headers["content-type"], listed.headers["x-content-type-options"]) == (
            "application/json",
            "nosniff",
        )
