"""An image's software bill of materials (CycloneDX 1.6): its packages of Debian, Python and npm. The same packages, the same bytes."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from naas_images.docker import docker

INVENTORY = Path(__file__).with_name("inventory.py")


def write_sbom(image: str, to: Path) -> None:
    """Ask the image what is installed in it and write that down."""
    run = (
        "run",
        "--rm",
        "--interactive",
        "--network=none",
        "--read-only",
        "--user=65534:65534",
        "--entrypoint=python3",
    )
    found = json.loads(docker(*run, image, "-I", "-", text=INVENTORY.read_text()))
    name, _, version = image.partition(":")
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([image, found], sort_keys=True)))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # would make every one another
    bom.metadata.component = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref=name)
    for package in found["packages"]:
        bom.components.add(_component(package, found["system"]))
    bom.register_dependency(bom.metadata.component, bom.components)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n")


def _component(package: dict[str, Any], system: str) -> Component:
    kind, name, version = package["type"], package["name"], package["version"]
    scope, qualifiers = None, None
    if kind == "deb":
        scope, qualifiers = system.partition("-")[0], {"arch": package["architecture"], "distro": system}
    elif name.startswith("@"):
        scope, _, name = name.partition("/")
    url = PackageURL(kind, scope, name, version, qualifiers)
    licences = [LicenseFactory().make_from_string(package["licence"])] if package["licence"] else []
    return Component(
        type=ComponentType.LIBRARY,
        name=package["name"],
        version=version,
        purl=url,
        bom_ref=url.to_string(),
        licenses=licences,
    )
