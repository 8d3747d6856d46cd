"""GPUs with a real hub, a real gateway and real servers; only the devices are not real, because their ids are all that is handed on."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from gateway_app import Gateway
from spawner_stack import HubUnderTest, LauncherProcess, hub_in, wait_for

pytestmark = pytest.mark.server

SLICE = "A100 1g.10gb"
SLICES = [f"MIG-{n:08}-a75d-5afc-978f-d2f1294409fd" for n in range(7)]
PROFILES = [
    {"slug": "standard", "name": "Standard"},
    {"slug": "slice", "name": "Slice", "gpu": [{"name": SLICE, "default": True}]},
    {"slug": "far", "name": "Far", "gpu": [{"name": "far", "default": True}]},
    {"slug": "none", "name": "None", "gpu": [{"name": "B200", "default": True}]},
]


@pytest.fixture(scope="module")
def spawner_settings(gateway: Gateway) -> dict[str, Any]:
    return {
        "profiles": PROFILES,
        "gpus": [
            {"flavour": SLICE, "devices": SLICES},
            {"flavour": "far", "devices": ["0"], "node": "gpu1.example.org"},
        ],
        "gateway_url": gateway.url,
        "gateway_token_file": str(gateway.log.with_name("hub-token")),
    }


@pytest.fixture(autouse=True)
def stopped(hub: HubUnderTest, gateway: Gateway) -> Iterator[None]:
    """Each test ends without servers, and so without leases."""
    yield
    for user in hub.http.get("/hub/api/users").json():
        if user["servers"]:
            hub.stop(user["name"])
    wait_for(lambda: free(gateway) in (None, 7), "all slices are free again")


def free(gateway: Gateway, flavour: str = SLICE) -> int | None:
    return next((state.free for state in gateway.hub.gpus_for_hub().items if state.flavour == flavour), None)


def process(hub: HubUnderTest, name: str) -> int:
    entries = json.loads((hub.data / "run" / "launcher.json").read_text())
    return int(next(e["pid"] for e in entries if (e["kind"], e["key"]) == ("server", name)))


def visible_devices(hub: HubUnderTest, name: str) -> str:
    """``CUDA_VISIBLE_DEVICES`` as a notebook of a running server has it."""
    return hub.run(name, "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")[1].strip()


def test_twenty_people_at_once_and_seven_slices(hub: HubUnderTest, gateway: Gateway) -> None:
    people = [f"user-{number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = dict(zip(people, pool.map(lambda name: hub.start(name, {"profile": "slice"}), people), strict=True))
    for name in people:
        wait_for(
            lambda name=name: not (s := hub.server(name)) or s["ready"], f"the start of {name}'s server is over", 180
        )
    lucky = [name for name in people if hub.server(name)]
    refused = [name for name in people if name not in lucky]
    assert len(lucky) == 7
    assert sorted(visible_devices(hub, name) for name in lucky) == SLICES
    sentence = (
        rf"All 7 GPUs “{SLICE}” are in use, the longest since .* UTC\. Try again later, or choose another profile\."
    )
    for name in refused:
        [reason] = gateway.hub.user_stop_reasons(name).items
        assert reason.code == "gpu-none-free"
        assert re.search(sentence, reason.message)
        if answers[name].status_code != 202:  # the hub answers so when a start takes longer than a few seconds
            assert answers[name].status_code == 409
            assert re.search(sentence, answers[name].json()["message"])
    entries = json.loads((hub.data / "run" / "launcher.json").read_text())
    assert {entry["key"] for entry in entries if entry["kind"] == "server"} == set(lucky), "nothing else was started"
    assert free(gateway) == 0


def test_a_server_without_a_gpu_sees_none(hub: HubUnderTest) -> None:
    hub.started("alice", {"profile": "standard"})
    assert visible_devices(hub, "alice") == ""


def test_the_slice_of_a_server_that_is_stopped_or_dies_returns(hub: HubUnderTest, gateway: Gateway) -> None:
    hub.started("alice", {"profile": "slice"})
    assert free(gateway) == 6
    hub.stop("alice")
    assert free(gateway) == 7
    hub.started("alice", {"profile": "slice"})
    os.kill(process(hub, "alice"), signal.SIGKILL)
    wait_for(lambda: free(gateway) == 7, "the slice of the dead server is free")


def test_a_restarted_hub_knows_which_slice_a_server_has(hub: HubUnderTest, gateway: Gateway) -> None:
    hub.started("alice", {"profile": "slice"})
    had = visible_devices(hub, "alice")
    hub.restart()
    wait_for(lambda: (s := hub.server("alice")) and s["ready"], "alice's server is known again")
    assert free(gateway) == 6
    hub.started("bob", {"profile": "slice"})
    assert visible_devices(hub, "bob") != had
    hub.stop("alice")
    assert free(gateway) == 6


def test_what_dies_while_the_hub_is_away_is_given_back_when_it_returns(hub: HubUnderTest, gateway: Gateway) -> None:
    hub.started("alice", {"profile": "slice"})
    hub.part.process.kill()
    hub.part.process.wait()
    os.kill(process(hub, "alice"), signal.SIGKILL)
    hub.restart()
    wait_for(lambda: free(gateway) == 7, "the slice is free")


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [("far", "There is no GPU “far” at the moment"), ("none", "There is no GPU “B200” at the moment")],
)
def test_a_device_of_another_machine_or_of_none_is_not_given(hub: HubUnderTest, profile: str, sentence: str) -> None:
    answer = hub.start("alice", {"profile": profile})
    assert answer.status_code == 409
    assert re.search(sentence, answer.json()["message"])
    assert not hub.server("alice")


def test_the_form_says_what_is_free(hub: HubUnderTest) -> None:
    hub.started("bob", {"profile": "slice"})
    page = wait_for(
        lambda: "6 of 7 free" in (text := hub.browser("alice").get("/hub/spawn").text) and text, "the count on the page"
    )
    assert re.search(r"6 of 7 free · \d+ s ago", page)
    assert re.search(r'value="none"[^>]* disabled', page)


def test_without_a_gateway_there_are_no_gpus(own_launcher: LauncherProcess, tmp_path: Path) -> None:
    with hub_in(tmp_path, own_launcher, {"profiles": PROFILES}) as hub:
        answer = hub.start("alice", {"profile": "slice"})
        assert answer.status_code == 400
        assert "no GPU" in answer.json()["message"]


def test_what_the_machine_has_is_found(
    own_launcher: LauncherProcess, tmp_path: Path, gateway: Gateway, nvidia_smi: Callable[[str], None]
) -> None:
    nvidia_smi("#!/bin/sh\necho 'GPU 0: Tesla T4 (UUID: GPU-33333333-d268-c3f3-1b07-005d5ae1dc3f)'\n")
    profile = {"slug": "t4", "name": "T4", "gpu": [{"name": "Tesla T4", "default": True}]}
    token = str(gateway.log.with_name("hub-token"))
    settings = {"profiles": [profile], "gateway_url": gateway.url, "gateway_token_file": token}
    with hub_in(tmp_path, own_launcher, settings) as hub:
        hub.started("alice", {"profile": "t4"})
        assert visible_devices(hub, "alice") == "GPU-33333333-d268-c3f3-1b07-005d5ae1dc3f"
        answer = hub.start("bob", {"profile": "t4"})
        assert "The GPU “Tesla T4” is in use, the longest since" in answer.json()["message"]
        hub.stop("alice")
