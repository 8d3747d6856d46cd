"""GPUs of containers: the engine is asked for the leased device, and a refusal gives the lease back."""

from __future__ import annotations

import pytest
from served import Served
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse, pytest.mark.docker]


def test_the_engine_is_asked_and_its_refusal_gives_the_lease_back(containers: Served) -> None:
    """There is no NVIDIA runtime here: the engine says that it cannot serve the device request that it got."""
    alice, bob = containers.sign_in("alice"), containers.sign_in("bob")
    for session in (alice, bob):  # the second finds the only slice free again
        answer = session.hub("POST", f"/users/{session.name}/server", json={"user_options": {"profile": "gpu"}})
        assert answer.status_code == 503, answer.text
        assert 'could not select device driver "" with capabilities: [[gpu]]' in answer.json()["message"]
        assert "Choose a profile without one" in answer.json()["message"]
        wait_for(lambda name=session.name: containers.world.leftovers(name) == [], "nothing is left")


def test_a_server_without_a_lease_gets_no_card_by_its_image(containers: Served) -> None:
    alice = containers.started("alice")
    with alice.kernel() as kernel:
        assert kernel.run("import os; print(os.environ['NVIDIA_VISIBLE_DEVICES'])") == "void\n"
