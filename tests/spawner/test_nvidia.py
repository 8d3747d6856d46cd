"""What `nvidia-smi -L` says, and what becomes of it when it says nothing useful."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from naas_client.errors import InvalidInput, Unavailable
from naas_client.settings import Section, validate
from naas_spawner.gpus import GpuSource, GpuSources, offered
from naas_spawner.nvidia import Found, Nvidia, parse_list
from waiting import wait_for

A100_WHOLE = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-8a1f4bd1-7a54-6d2e-9a0c-3f4b1c2d5e6f)
"""
A100_SLICED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
  MIG 1g.5gb+me   Device  2: (UUID: MIG-4f6b5c1d-8a8e-5d5d-9a54-2a1d0b7c3e11)
  MIG 1c.3g.20gb  Device  3: (UUID: MIG-0b6c1d7e-1111-5a5a-8b8b-9c9c9c9c9c9c)
"""
MIXED = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-11111111-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 1g.10gb     Device  0: (UUID: MIG-aaaaaaaa-a75d-5afc-978f-d2f1294409fd)
GPU 1: NVIDIA A100 80GB PCIe (UUID: GPU-22222222-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 1g.10gb     Device  0: (UUID: MIG-bbbbbbbb-a75d-5afc-978f-d2f1294409fd)
GPU 2: Tesla T4 (UUID: GPU-33333333-d268-c3f3-1b07-005d5ae1dc3f)
"""
BEFORE_470 = """\
GPU 0: A100-SXM4-40GB (UUID: GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0)
  MIG 3g.20gb Device 0: (UUID: MIG-GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0/1/0)
"""
IN_TROUBLE = """\
WARNING: infoROM is corrupted at gpu 0000:65:00.0
Unable to determine the device handle for gpu 0000:65:00.0: Unknown Error
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 1g.5gb      Device  0: (UUID: N/A)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: N/A)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-8a1f4bd1-7a54-6d2e-9a0c-3f4b1c2d5e6f)
GPU 3: NVIDIA A100-SXM4-40GB (UUID: GPU-0,1;rm -rf)
"""


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("", []),
        ("No devices found.\n", []),
        ("\x00\xff garbage (UUID: GPU-1)\n" * 3, []),
        (A100_WHOLE, ["NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"]),
        (A100_SLICED, ["3g.20gb", "1g.5gb", "1g.5gb+me", "1c.3g.20gb"]),
        (MIXED, ["1g.10gb", "1g.10gb", "Tesla T4"]),
        (BEFORE_470, ["3g.20gb"]),
        (IN_TROUBLE, ["NVIDIA A100-SXM4-40GB"]),
        (A100_WHOLE.replace("\n", "\r\n"), ["NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"]),
    ],
)
def test_the_devices_that_can_be_given_out(output: str, found: list[str]) -> None:
    assert [device.name for device in parse_list(output)] == found


def test_devices_have_the_ids_that_cuda_takes() -> None:
    assert [device.device for device in parse_list(MIXED)] == [
        "MIG-aaaaaaaa-a75d-5afc-978f-d2f1294409fd",
        "MIG-bbbbbbbb-a75d-5afc-978f-d2f1294409fd",
        "GPU-33333333-d268-c3f3-1b07-005d5ae1dc3f",
    ]
    assert parse_list(BEFORE_470)[0].device == "MIG-GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0/1/0"
    assert parse_list(IN_TROUBLE)[0].device.startswith("GPU-8a1f4bd1")


def flavours(sources: list[dict[str, object]], found: list[Found]) -> dict[str, str]:
    return {d.device[:8]: d.flavour for d in offered([GpuSource.model_validate(source) for source in sources], found)}


def test_a_site_names_what_it_gives_out() -> None:
    found = parse_list(MIXED)
    assert flavours([], found) == {"MIG-aaaa": "1g.10gb", "MIG-bbbb": "1g.10gb", "GPU-3333": "Tesla T4"}
    assert flavours([{"flavour": "slice", "discover": "1g.10gb"}], found) == {"MIG-aaaa": "slice", "MIG-bbbb": "slice"}
    by_card = [
        {"flavour": "H100 slice", "discover": "NVIDIA H100 80GB HBM3 1g.10gb"},
        {"flavour": "other slice", "discover": "1g.10gb"},
    ]
    assert flavours(by_card, found) == {"MIG-aaaa": "H100 slice", "MIG-bbbb": "other slice"}


def test_a_listed_device_is_not_found_a_second_time() -> None:
    listed = {"flavour": "mine", "devices": ["GPU-33333333-d268-c3f3-1b07-005d5ae1dc3f", "7"]}
    elsewhere = {"flavour": "far", "devices": ["GPU-1"], "node": "gpu1"}
    assert flavours([listed, elsewhere, {"flavour": "T4", "discover": "Tesla T4"}], parse_list(MIXED)) == {
        "GPU-3333": "mine",
        "7": "mine",
        "GPU-1": "far",
    }


class Document(Section):
    gpus: GpuSources


def test_indexes_of_two_nodes_are_two_devices() -> None:
    sources = [{"flavour": "a", "devices": ["0"], "node": node} for node in ("gpu1", "gpu2")]
    assert len(validate({"gpus": sources}, Document, "test").gpus) == 2
    with pytest.raises(InvalidInput, match="gpu1/0 occurs twice"):
        validate({"gpus": [sources[0], sources[0]]}, Document, "test")


# The program


@pytest.mark.asyncio
async def test_it_is_asked_for_its_list(nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi(f'#!/bin/sh\n[ "$1" = -L ] && cat <<X\n{A100_SLICED}X\n')
    assert [device.slice for device in await Nvidia().devices()] == ["3g.20gb", "1g.5gb", "1g.5gb+me", "1c.3g.20gb"]


@pytest.mark.asyncio
async def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await Nvidia().devices() == []


@pytest.mark.asyncio
async def test_a_driver_that_fails_is_said(nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi("#!/bin/sh\necho NVIDIA-SMI has failed because it could not communicate with the driver.\nexit 9\n")
    with pytest.raises(Unavailable, match="ended with code 9: NVIDIA-SMI has failed"):
        await Nvidia().devices()


@pytest.mark.asyncio
async def test_a_program_that_cannot_be_run_is_said(nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi("\x7fELF nonsense")
    with pytest.raises(Unavailable, match="cannot be run"):
        await Nvidia().devices()


@pytest.mark.asyncio
async def test_a_driver_that_hangs_is_ended_and_said(nvidia_smi: Callable[[str], None], tmp_path: Path) -> None:
    nvidia_smi(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    with pytest.raises(Unavailable, match=r"did not answer within 0\.5 s"):
        await Nvidia().devices(0.5)
    wait_for(lambda: not _runs(tmp_path / "pid"), "the end of the program", 5)


def _runs(pid_file: Path) -> bool:
    try:
        return Path(f"/proc/{int(pid_file.read_text())}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
