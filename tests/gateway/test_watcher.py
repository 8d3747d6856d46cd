"""Lost access stops the server, without anybody clicking anything; doubt stops nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import AccessEnded, Forbidden
from naas_local.iam import EmbeddedIam, embedded_iam

pytestmark = pytest.mark.server

AGE = 5
"""``iam.auth_refresh_age`` in seconds: within it, lost access must have taken effect."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[EmbeddedIam, HubStandIn, Gateway]]:
    with embedded_iam(tmp_path) as iam, HubStandIn().serving() as hub:
        sections = {"iam": {"auth_refresh_age": AGE}, "gateway": {"hub_api_url": hub.url}}
        with gateway_app(tmp_path / "gateway", iam, **sections) as gateway:
            hub.service_token = gateway.hub_token
            for name in ("alice", "bob"):
                gateway.sign_in(name)
                hub.running[name] = ["", "gpu"]
            yield iam, hub, gateway


def test_who_leaves_the_groups_is_stopped_in_time_and_told_why(
    site: tuple[EmbeddedIam, HubStandIn, Gateway], eventually: Callable[..., Any]
) -> None:
    iam, hub, gateway = site
    alice = gateway.client(hub.user_token("alice"))
    assert alice.me().groups
    iam.set_groups("alice", ["developers"])
    started = time.monotonic()
    eventually(lambda: not hub.running["alice"], "the stop of both servers of alice", limit=AGE + 2)
    assert time.monotonic() - started < AGE + 1
    assert sorted(hub.stopped) == [("alice", ""), ("alice", "gpu")]
    reasons = gateway.hub.user_stop_reasons("alice").items
    assert {(reason.server, reason.code) for reason in reasons} == {("", "access-lost"), ("gpu", "access-lost")}
    assert "Ask to join users/naas or admins" in reasons[0].message
    with pytest.raises(Forbidden, match="no longer in a group"):
        alice.me()
    dana = gateway.client(hub.user_token("dana", "custom:naas:admin"))
    assert [row.object for row in dana.audit(action="server.stop").items] == ["alice/gpu", "alice/"]
    assert hub.running["bob"] == ["", "gpu"]


def test_who_is_suspended_in_iam_is_stopped_too(
    site: tuple[EmbeddedIam, HubStandIn, Gateway], eventually: Callable[..., Any]
) -> None:
    iam, hub, gateway = site
    iam.set_active("alice", False)
    eventually(lambda: not hub.running["alice"], "the stop", limit=AGE + 2)
    assert gateway.hub.user_stop_reasons("alice").total == 2
    assert hub.running["bob"] == ["", "gpu"]


def test_an_iam_that_is_down_stops_nobody(
    site: tuple[EmbeddedIam, HubStandIn, Gateway], eventually: Callable[..., Any]
) -> None:
    iam, hub, gateway = site
    iam.stop()
    eventually(lambda: "could not be checked" in gateway.log.read_text(), "a pass without IAM", limit=AGE + 10)
    assert hub.stopped == []
    assert gateway.hub.user_stop_reasons("alice").items == []


def test_people_that_the_gateway_does_not_know_are_left_alone(
    site: tuple[EmbeddedIam, HubStandIn, Gateway], eventually: Callable[..., Any]
) -> None:
    _, hub, gateway = site
    hub.running["stranger"] = [""]
    eventually(lambda: "stranger has a server" in gateway.log.read_text(), "a pass", limit=AGE + 2)
    assert hub.stopped == []


def test_who_signs_out_keeps_the_running_server_and_the_grant_until_it_stops(
    site: tuple[EmbeddedIam, HubStandIn, Gateway], eventually: Callable[..., Any]
) -> None:
    _, hub, gateway = site
    gateway.hub.sign_out("alice")
    assert gateway.hub.claims("alice", 0).groups, "a calculation that runs overnight keeps its folders"
    hub.running["alice"] = []
    with pytest.raises(AccessEnded, match="signed out"):
        eventually(lambda: gateway.hub.claims("alice", 0) is None, "the end of the grant", limit=AGE + 2)
    assert hub.stopped == []


def test_who_signs_in_again_stays(
    site: tuple[EmbeddedIam, HubStandIn, Gateway], eventually: Callable[..., Any]
) -> None:
    _, hub, gateway = site
    for name in ("alice", "bob"):
        gateway.hub.sign_out(name)
        hub.running[name] = []
    gateway.sign_in("alice")
    with pytest.raises(AccessEnded):
        eventually(lambda: gateway.hub.claims("bob", 0) is None, "a pass of the watcher", limit=AGE + 2)
    assert gateway.hub.claims("alice", 0).groups
