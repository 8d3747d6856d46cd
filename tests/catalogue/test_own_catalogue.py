"""Every service of ours: read without a problem, a form that holds, and a template that tosca-parser accepts."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml
from catalogue_files import ALICE
from naas_catalogue import Template, build, holds, load, own_root, types, validate
from naas_client.models import CatalogueForm
from toscaparser.tosca_template import ToscaTemplate

OURS = load([own_root()])
SERVICES = {
    "run-docker": 4,
    "docker-compose": 4,
    "virtual-machine": 5,
    "jupyter-with-persistence": 2,
    "kubernetes-cluster": 3,
    "jupyter-with-matlab": 1,
    "working-station-for-machine-learning-ml-infn": 1,
    "working-station-for-cygno": 1,
    "spark-cluster-with-jupyter": 2,
    "htcondor-cluster": 2,
    "htcondor-mini": 1,
    "elasticsearch-and-kibana": 2,
    "sync-share": 1,
    "iam-as-a-service": 1,
    "mesos-cluster": 1,
    "rstudio": 1,
    "tensorflow-with-jupyter": 1,
    "galaxy": 1,
}
templates = pytest.mark.parametrize("template", OURS.templates.values(), ids=lambda template: template.name)


def test_nothing_of_ours_is_left_out() -> None:
    assert OURS.problems == []
    assert {name: len(service.variants) for name, service in OURS.services.items()} == SERVICES
    assert set(OURS.icons) == set(SERVICES)
    entries = OURS.entries(set())
    assert {entry.name for entry in entries if entry.legacy} == {
        "mesos-cluster",
        "rstudio",
        "tensorflow-with-jupyter",
        "galaxy",
    }
    assert [entry.name for entry in entries if entry.locked] == ["working-station-for-cygno"]
    assert all(entry.category and entry.tags and entry.icon for entry in entries)


def required(form: CatalogueForm) -> dict[str, Any]:
    return {
        name: "correct horse battery"[: 21 if form.fields[name].secret else 7] for name in form.json_schema["required"]
    }


@templates
def test_its_form_is_a_json_schema_and_its_defaults_hold(template: Template) -> None:
    form = build(template, ALICE)
    jsonschema.Draft202012Validator.check_schema(form.json_schema)
    answer = validate(template, required(form), ALICE)
    assert answer.problems == []
    declared = yaml.safe_load(template.text)["topology_template"]["inputs"]
    assert set(answer.inputs) <= set(declared)
    assert not {name for name, body in declared.items() if "default" not in body and body.get("required", True)} - set(
        answer.inputs
    )
    shown = {name for tab in form.tabs for name in tab.fields}
    assert shown == set(form.fields) == set(form.json_schema["properties"])
    assert not {name for name in form.fields if form.fields[name].label == name}
    for output in template.outputs:
        assert output.condition == "" or holds(output.condition, answer.inputs, {}) in (True, False)


@templates
def test_tosca_parser_accepts_it(template: Template) -> None:
    answer = validate(template, required(build(template, ALICE)), ALICE)
    parsed = ToscaTemplate(yaml_dict_tpl=yaml.safe_load(template.deployable()), parsed_params=dict(answer.inputs))
    assert {node.name for node in parsed.nodetemplates} == set(
        yaml.safe_load(template.text)["topology_template"]["node_templates"]
    )
    assert {output.name for output in parsed.outputs} == {output.name for output in template.outputs}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("docker_image:", "docker_imag:"),
        ("num_cpus: {get_input: num_cpus}", "num_cpu: {get_input: num_cpus}"),
        ("host: server}", "host: sever}"),
    ],
)
def test_tosca_parser_would_have_complained(old: str, new: str) -> None:
    text = OURS.template("docker/run_docker").deployable().replace("{get_input: num_cpus}", "{get_input: num_cpus}")
    document = yaml.safe_load(text)
    flow = yaml.safe_dump(
        document["topology_template"]["node_templates"], default_flow_style=None, sort_keys=False, width=1000
    )
    assert old in flow
    document["topology_template"]["node_templates"] = yaml.safe_load(flow.replace(old, new))
    with pytest.raises(Exception, match=r"docker_imag|num_cpu|sever"):
        ToscaTemplate(yaml_dict_tpl=document, parsed_params={})


def test_our_types_use_no_file_and_no_address() -> None:
    for name, (_, body) in types.ours().items():
        assert "http" not in str(body), name
        assert "interfaces" not in body, name
