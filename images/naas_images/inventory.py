"""Runs inside an image and prints, as JSON, which packages are installed there. The standard library only."""

import importlib.metadata
import json
import pathlib
import subprocess
import sys
import typing

PREFIX = "/opt/naas"
DEBIAN = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n"]


def licence(about: typing.Any) -> str:
    """What a Python package says of its licence, when it says so in a few words."""
    said = about.get("License-Expression") or about.get("License") or ""
    return said if len(said) < 60 and "\n" not in said else ""


found = []
for line in subprocess.run(DEBIAN, check=True, capture_output=True, text=True).stdout.splitlines():
    name, version, architecture, status = line.split()
    if status == "ii":
        found.append({"type": "deb", "name": name, "version": version, "architecture": architecture, "licence": ""})
site = [str(path) for path in pathlib.Path(PREFIX).glob("lib/python3*/site-packages")]
for package in importlib.metadata.distributions(path=site):
    about = package.metadata
    found.append(
        {"type": "pypi", "name": about["Name"], "version": about["Version"], "licence": licence(package.metadata)}
    )
for file in pathlib.Path(PREFIX, "lib/node_modules").glob("**/package.json"):
    about = json.loads(file.read_text())
    if "name" in about and "version" in about:
        said = about.get("license", "")
        found.append(
            {
                "type": "npm",
                "name": about["name"],
                "version": about["version"],
                "licence": said if isinstance(said, str) else "",
            }
        )
release = pathlib.Path("/etc/os-release").read_text().splitlines()
system = {
    key: value.strip('"') for key, _, value in (line.partition("=") for line in release) if key in ("ID", "VERSION_ID")
}
json.dump({"system": f"{system['ID']}-{system['VERSION_ID']}", "packages": found}, sys.stdout)
