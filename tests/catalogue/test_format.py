"""The dashboard's own files, unchanged: services, visibility, parameters, and what is said about what cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalogue_files import METADATA, PARAMETERS, TEMPLATE, dashboard, write
from naas_catalogue import Catalogue, Root, Template, load
from naas_client.errors import NotFound


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return load([Root("infn", dashboard(tmp_path))])


@pytest.fixture
def engine(catalogue: Catalogue) -> Template:
    return catalogue.template("docker/engine.yaml")


def test_a_service_with_its_variants(catalogue: Catalogue) -> None:
    entry = catalogue.entries({"users/naas"})[0]
    assert (entry.name, entry.title, entry.description) == ("docker-engine", "Docker engine", "Engine and files")
    assert (entry.guide_url, entry.icon, entry.tags) == ("https://guides.example.org/docker", False, ["docker"])
    assert [(v.name, v.title, v.usable) for v in entry.variants] == [
        ("docker/engine", "Simple", True),
        ("docker/missing", "Missing", False),
    ]
    [problem] = catalogue.problems
    assert (problem.file, problem.line, problem.severity) == ("tosca-metadata/metadata.yml", 12, "error")


@pytest.mark.parametrize(
    ("groups", "sight"),
    [
        ({"users/naas"}, "open"),
        ({"/ml-infn"}, "open"),
        ({"users/other"}, "locked"),
        ({"x/users/other"}, "hidden"),
        (set(), "hidden"),
    ],
)
def test_who_sees_it(catalogue: Catalogue, groups: set[str], sight: str) -> None:
    entries = catalogue.entries(groups)
    assert [entry.locked for entry in entries] == {"open": [False], "locked": [True], "hidden": []}[sight]
    assert catalogue.may_deploy("docker/engine", groups) is (sight == "open")
    if sight == "locked":
        assert entries[0].reason == "Open to members of ml-infn, users/naas."


def test_a_public_service_of_some_groups_is_locked_for_the_others(tmp_path: Path) -> None:
    public = METADATA.replace(
        'private, groups: [users/naas, /ml-infn], locked_regex: "users/.*"', 'public, groups_regex: "ml-.*"'
    )
    dashboard(tmp_path).joinpath("tosca-metadata/metadata.yml").write_text(public)
    catalogue = load([Root("infn", tmp_path)])
    assert [entry.locked for entry in catalogue.entries({"ml-infn"})] == [False]
    assert [entry.locked for entry in catalogue.entries({"users/naas"})] == [True]


def test_inputs_keep_toscas_order_and_the_forms_own_come_last(engine: Template) -> None:
    names = [item.name for item in engine.inputs]
    assert names[:4] == ["num_cpus", "mem_size", "docker_storage_size", "os_version"]
    assert names[-3:] == ["flavor", "size_without", "size_with"]


def test_texts_lose_their_markup(engine: Template) -> None:
    by_name = {item.name: item for item in engine.inputs}
    assert by_name["project_name"].label == "Name of the project"
    assert by_name["enable_monitoring"].info == "See the guide."
    assert {output.name: output.description for output in engine.outputs}["node_ip"] == "The address"


def test_outputs_and_their_kinds(engine: Template) -> None:
    assert {output.name: output.kind for output in engine.outputs} == {
        "node_ip": "text",
        "node_creds": "node-credentials",
        "grafana_endpoint": "url",
        "kubeconfig": "kubeconfig",
    }
    assert engine.outputs[2].condition == "inputs['enable_monitoring'] == 'true'"


def test_a_version_keeps_its_digits_on_the_way_to_the_orchestrator(engine: Template) -> None:
    text = engine.deployable()
    assert "version: 20.10\n" in text
    assert "imports" not in text
    assert "tosca.capabilities.indigo.Endpoint:" in text
    assert "single-node-jupyterhub" not in text


def test_imports_can_be_those_that_the_operator_pinned(engine: Template) -> None:
    text = engine.deployable("https://types.example.org/v3.4.0/custom_types.yaml")
    assert "- types: https://types.example.org/v3.4.0/custom_types.yaml" in text
    assert "indigo_custom_types" not in text
    assert "node_types" not in text


def test_a_template_alone_is_a_service(tmp_path: Path) -> None:
    catalogue = load([Root("templates", write(tmp_path, {"docker/engine.yaml": TEMPLATE}))])
    [entry] = catalogue.entries(set())
    assert (entry.title, entry.locked, [v.name for v in entry.variants]) == ("Engine", False, ["docker/engine"])


def test_templates_and_settings_may_be_two_sources_and_the_first_counts(tmp_path: Path) -> None:
    mine = write(
        tmp_path / "mine", {"docker/engine.yaml": TEMPLATE.replace("display_name: Engine", "display_name: Mine")}
    )
    theirs = dashboard(tmp_path / "theirs")
    catalogue = load([Root("mine", mine), Root("theirs", theirs)])
    assert catalogue.template("engine").title == "Mine"
    assert catalogue.entries({"users/naas"})[0].title == "Docker engine"


def test_names_of_templates(tmp_path: Path) -> None:
    catalogue = load(
        [Root("x", write(tmp_path, {"a/vm.yaml": TEMPLATE, "b/vm.yaml": TEMPLATE, "b/one.yml": TEMPLATE}))]
    )
    assert catalogue.template("one").name == "b/one"
    assert catalogue.template("b/vm.yaml").name == "b/vm"
    with pytest.raises(NotFound, match="several"):
        catalogue.template("vm")
    with pytest.raises(NotFound, match="no template"):
        catalogue.template("../../etc/passwd")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("    type: combined", "    type: surprise", 3, "'surprise' is not known"),
        ("set: {num_cpus", "sets: {num_cpus", None, ""),
        ("inputs['enable_monitoring'] == 'true'", "__import__('os')", 55, "always shown"),
        ("options: \"['cms.cern.ch', 'sft.cern.ch']\"", "options: \"__import__('os').listdir()\"", 40, "list of words"),
        ("constraints: [in_range: [1, 10]]", "constraints: [in_range: [1]]", 47, "lowest and the highest"),
        ("constraints: [in_range: [1, 10]]", "constraints: [wild: 1]", 47, "no such constraint"),
        ("required_ports: {ssh:", "required_ports: [{ssh:", 52, "Not YAML"),
        ("group_overrides:\n      ml-infn:", "group_overrides: five\n    x:\n      ml-infn:", 3, "mapping from group"),
        ("  size_with: {type", "  __proto__: {type", 48, "cannot be the name"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line_and_the_service_stays(
    tmp_path: Path, old: str, new: str, line: int | None, words: str
) -> None:
    assert old in PARAMETERS
    source = dashboard(tmp_path)
    file = "tosca-parameters/docker/engine.parameters.yml"
    (source / file).write_text(PARAMETERS.replace(old, new))
    catalogue = load([Root("infn", source)])
    assert catalogue.entries({"users/naas"})[0].variants[0].usable
    found = [problem for problem in catalogue.problems if problem.file == file]
    if words:
        assert any(words in problem.message for problem in found), found
        assert line in [problem.line for problem in found], found
