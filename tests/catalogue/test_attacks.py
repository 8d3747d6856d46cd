"""Hostile files: each is said, none is run, and the rest of the catalogue stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from catalogue_files import ALICE, METADATA, PARAMETERS, TEMPLATE, dashboard, write
from naas_catalogue import Root, build, load
from naas_catalogue.documents import Unreadable
from naas_catalogue.icons import read_icon

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tosca.nodes.indigo.Compute", "tosca.nodes.Evil", "is not among the catalogue's types"),
        ("  node_templates:", "  nothing:", "nothing would be created"),
        (
            "topology_template:",
            "node_types: {tosca.nodes.indigo.Compute: {derived_from: x}}\ntopology_template:",
            "defines none",
        ),
        ("tosca_simple_yaml_1_0", "tosca_2_0", "tosca_definitions_version"),
        (
            "      properties:\n        os_users",
            "      interfaces: {Standard: {start: {implementation: file:///etc/shadow}}}\n      properties:\n        os_users",
            "names a file of the machine",
        ),
        (
            "      properties:\n        os_users",
            "      artifacts: {x: {file: ../../../etc/shadow, type: tosca.artifacts.File}}\n      properties:\n        os_users",
            "names a file of the machine",
        ),
        ("kubeconfig: {value: none}", "evil: {value: {get_artifact: [server, x]}}", "get_artifact is not allowed"),
        (
            "kubeconfig: {value: none}",
            "evil: {value: {concat: [a, {get_operation_output: [x]}]}}",
            "get_operation_output",
        ),
        ("kubeconfig: {value: none}", "evil: {value: {exec: id}}", "exec is not allowed"),
        ("    mem_size:", "    num_cpus: {type: integer}\n    mem_size:", "is there twice"),
        ("    num_cpus:", "    num_cpus: &a\n      x: *a\n    b:", "holds itself"),
    ],
)
def test_a_template_that_must_not_be_deployed(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in TEMPLATE
    source = dashboard(tmp_path)
    (source / "tosca-templates/docker/engine.yaml").write_text(TEMPLATE.replace(old, new))
    (source / "tosca-templates/docker/missing.yaml").write_text(TEMPLATE)
    catalogue = load([Root("infn", source)])
    [entry] = catalogue.entries({"users/naas"})
    assert [variant.usable for variant in entry.variants] == [False, True]
    assert not catalogue.may_deploy("docker/engine", {"users/naas"})
    problem = next(problem for problem in catalogue.problems if words in problem.message)
    assert problem.line
    assert problem.file == "tosca-templates/docker/engine.yaml"


@pytest.mark.parametrize(
    "imported", ["file:///etc/passwd", "/etc/passwd", "http://169.254.169.254/latest/meta-data", "../../secret.yaml"]
)
def test_imports_are_never_followed(tmp_path: Path, imported: str) -> None:
    source = dashboard(tmp_path)
    address = "https://types.example.org/raw/v3.4.0/tosca_types/infrastructure/docker_types.yaml"
    (source / "tosca-templates/docker/engine.yaml").write_text(TEMPLATE.replace(address, imported))
    engine = load([Root("infn", source)]).template("engine")
    assert engine.usable
    assert imported not in engine.deployable()


def test_five_megabytes_and_bombs_are_refused_quickly(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"k{n}: &k{n} [*{'a' if not n else f'k{n - 1}'}]\n" for n in range(3)
    )
    wide = "a: &a [" + "x," * 20_000 + "x]\nb: [*a, *a, *a, *a, *a, *a]\n"
    write(
        tmp_path,
        {
            "large.yaml": TEMPLATE + "# " + "x" * 5_000_000,
            "wide.yaml": wide,
            "bomb.yaml": bomb,
            "binary.yaml": b"\xff\xfe\x00a",
            "empty.yaml": "",
            "list.yaml": "[1, 2]",
            "text.yaml": "<html>Not found</html>",
            "good.yaml": TEMPLATE,
        },
    )
    began = time.monotonic()
    catalogue = load([Root("x", tmp_path)])
    assert time.monotonic() - began < 5
    assert list(catalogue.templates) == ["good"]
    said = {problem.file: problem.message for problem in catalogue.problems}
    assert "Larger than 1024 KiB" in said["large.yaml"]
    assert "every alias" in said["wide.yaml"]
    assert set(said) == {"large.yaml", "wide.yaml", "bomb.yaml", "binary.yaml", "empty.yaml", "list.yaml", "text.yaml"}


def test_scripts_in_every_text_are_gone(tmp_path: Path) -> None:
    source = dashboard(tmp_path)
    parameters = PARAMETERS.replace("display_name: Flavor", f"display_name: '{SCRIPT}'").replace(
        "placeholder: myprj", f"placeholder: '{SCRIPT}'"
    )
    parameters = parameters.replace("label: none", f"label: '{SCRIPT}none'").replace(
        "warning: Ports are opened", f"warning: '{SCRIPT}'"
    )
    parameters = parameters.replace("tabs: [Configuration", f"tabs: ['{SCRIPT}Configuration'")
    metadata = METADATA.replace("Docker engine", f"'{SCRIPT}Docker engine'").replace("Engine and files", f"'{SCRIPT}'")
    metadata = metadata.replace("option: Simple", f"option: '{SCRIPT}Simple'").replace(
        "https://guides.example.org/docker", "javascript:alert(1)"
    )
    write(
        source,
        {
            "tosca-parameters/docker/engine.parameters.yml": parameters,
            "tosca-metadata/metadata.yml": metadata,
            "tosca-templates/docker/engine.yaml": TEMPLATE.replace("Optionally run a file.", SCRIPT),
        },
    )
    catalogue = load([Root("infn", source)])
    [entry] = catalogue.entries({"users/naas"})
    form = build(catalogue.template("engine"), ALICE)
    shown = entry.model_dump_json() + form.model_dump_json()
    assert "<script" not in shown
    assert "onerror" not in shown
    assert "javascript:" not in shown
    assert entry.title == "Docker engine"
    assert entry.guide_url == ""


def test_links_and_devices_are_not_read(tmp_path: Path) -> None:
    secret = write(tmp_path, {"outside/secret.yaml": TEMPLATE}) / "outside"
    source = write(tmp_path, {"source/good.yaml": TEMPLATE}) / "source"
    (source / "leak.yaml").symlink_to(secret / "secret.yaml")
    (source / "folder").symlink_to(secret)
    (source / "loop.yaml").symlink_to(source / "loop.yaml")
    (source / "inside.yaml").symlink_to(source / "good.yaml")
    os.mkfifo(source / "pipe.yaml")
    catalogue = load([Root("x", source)])
    assert sorted(catalogue.templates) == ["good", "inside"]
    assert {problem.file for problem in catalogue.problems} == {"leak.yaml", "loop.yaml", "pipe.yaml"}


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    catalogue = load(
        [Root("gone", tmp_path / "nothing"), Root("here", write(tmp_path / "here", {"vm.yaml": TEMPLATE}))]
    )
    assert list(catalogue.templates) == ["vm"]
    assert [problem.source for problem in catalogue.problems] == ["gone"]


@pytest.mark.parametrize(
    "rule", ["five", "{type: secret}", "{type: public, groups: users}", "{type: private, groups_regex: '('}", "[]"]
)
def test_a_rule_that_cannot_be_read_hides_the_service(tmp_path: Path, rule: str) -> None:
    source = dashboard(tmp_path)
    metadata = METADATA.replace('{type: private, groups: [users/naas, /ml-infn], locked_regex: "users/.*"}', rule)
    (source / "tosca-metadata/metadata.yml").write_text(metadata)
    catalogue = load([Root("infn", source)])
    assert catalogue.entries({"users/naas", "ml-infn"}) == []
    assert any("hidden" in problem.message for problem in catalogue.problems)


@pytest.mark.parametrize(
    "icon",
    [
        '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        '<svg xmlns="http://www.w3.org/2000/svg"><foreignObject/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><use href="https://evil.example.org/x.svg#a"/></svg>',
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg"/>',
        '<svg xmlns="http://www.w3.org/2000/svg"><style>@import "https://evil.example.org"</style></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><rect style="fill:url(https://evil.example.org)"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><style>@im\\port "x.css"</style></svg>',
        '<?xml version="1.0"?><?xml-stylesheet href="x.css"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        '<svg xmlns="http://www.w3.org/2000/svg"><g id="a"><use href="#a"/><use href="#a"/></g></svg>',
        "<html/>",
        "nothing",
    ],
)
def test_an_icon_only_draws(tmp_path: Path, icon: str) -> None:
    source = dashboard(tmp_path)
    (source / "tosca-metadata/metadata.yml").write_text(
        METADATA.replace("https://icons.example.org/docker.png", "icon.svg")
    )
    write(source, {"icon.svg": icon})
    catalogue = load([Root("infn", source)])
    assert catalogue.icons == {}
    assert catalogue.entries({"users/naas"})[0].icon is False
    assert any(problem.file == "icon.svg" for problem in catalogue.problems)


def test_an_icon_in_another_encoding_hides_nothing(tmp_path: Path) -> None:
    icon = '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>'
    (tmp_path / "icon.svg").write_bytes(icon.encode("utf-16"))
    with pytest.raises(Unreadable, match="UTF-8"):
        read_icon(tmp_path, "icon.svg")
