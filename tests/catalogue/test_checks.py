"""The form and the check of what is filled in: one schema for panel, magics, CLI and server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from catalogue_files import ALICE, KEY, PARAMETERS, TEMPLATE, dashboard, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naas_catalogue import Context, Root, Template, build, load, validate
from naas_client.models import CheckedInputs

GIVEN: dict[str, Any] = {"flavor": "small", "admin_password": "horse"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return load([Root("infn", dashboard(tmp_path_factory.mktemp("infn")))]).template("engine")


def checked(engine: Template, context: Context = ALICE, **given: Any) -> CheckedInputs:
    return validate(engine, {**GIVEN, **given}, context)


def said(answer: CheckedInputs) -> dict[str, str]:
    return {"/".join(filter(None, (p.field, p.path))): p.message for p in answer.problems}


def test_the_form(engine: Template) -> None:
    form = build(engine, ALICE)
    jsonschema.Draft202012Validator.check_schema(form.json_schema)
    assert [tab.title for tab in form.tabs] == ["Configuration", "Monitoring", "Advanced things"]
    assert form.tabs[1].fields == ["enable_monitoring", "admin_password"]
    assert "service_ports" in form.tabs[0].fields
    assert form.json_schema["required"] == ["admin_password", "flavor"]
    assert form.json_schema["properties"]["contact"]["default"] == "alice@example.org"
    assert form.json_schema["properties"]["admin_password"]["writeOnly"] is True
    widgets = {name: field.widget for name, field in form.fields.items()}
    assert widgets == {
        "docker_storage_size": "size",
        "os_version": "select",
        "project_name": "text",
        "labels": "map",
        "environment_variables": "list-of-maps",
        "enable_monitoring": "boolean",
        "admin_password": "password",
        "contact": "email",
        "gpus": "select",
        "model": "radio",
        "partition": "select",
        "repos": "multiselect",
        "size_of_run": "text",
        "encrypted": "toggle",
        "service_ports": "ports",
        "flavor": "select",
    }
    assert {item.name: item.source for item in form.filled} == {
        "num_cpus": "choice",
        "mem_size": "choice",
        "generated": "generated",
        "run_id": "generated",
        "owner": "user",
        "users": "user",
    }
    assert [(a.parent_value, a.field.widget) for a in form.fields["size_of_run"].alternatives] == [
        (0, "integer"),
        (1, "integer"),
    ]
    assert form.fields["docker_storage_size"].unit == "GB"
    assert form.fields["project_name"].updatable


def test_everything_is_completed_in_toscas_types(engine: Template) -> None:
    answer = checked(
        engine,
        gpus="1",
        size_of_run="60",
        enable_monitoring="true",
        model="A100",
        partition="7x 1g",
        repos=["cms.cern.ch", "sft.cern.ch"],
    )
    assert answer.problems == []
    inputs = answer.inputs
    assert (inputs["num_cpus"], inputs["mem_size"]) == (1, "2 GB")
    assert (inputs["gpus"], inputs["size_of_run"], inputs["enable_monitoring"]) == (1, 60, True)
    assert (inputs["model"], inputs["partition"], inputs["repos"]) == ("A100", "7x 1g", "cms.cern.ch sft.cern.ch")
    assert (inputs["owner"], inputs["contact"], inputs["os_version"]) == ("sub-1", "alice@example.org", "20.10")
    assert inputs["users"] == [{"os_user_name": "alice", "os_user_add_to_sudoers": True, "os_user_ssh_public_key": KEY}]
    assert inputs["run_id"].startswith("run-")
    assert inputs["run_id"].endswith("-x")
    assert len(inputs["generated"]) == 24
    assert inputs["service_ports"] == {
        "ssh": {"protocol": "tcp", "source": 22},
        "http": {"protocol": "tcp", "source": 80},
    }
    assert not {"flavor", "size_with", "size_without", "disk_size"} & set(inputs)
    assert set(answer.secrets) == {"admin_password", "generated"}
    assert "horse" not in repr(answer)
    assert checked(engine).inputs["generated"] != inputs["generated"]


def test_defaults_follow_the_parent(engine: Template) -> None:
    assert checked(engine).inputs["size_of_run"] == 5
    assert checked(engine, gpus=1).inputs["size_of_run"] == 50


def test_a_group_has_choices_of_its_own(engine: Template) -> None:
    group = ALICE.model_copy(update={"group": "ml-infn"})
    assert checked(engine, group, flavor="huge").inputs["mem_size"] == "64 GB"
    assert "Choose one of: huge" in said(checked(engine, group))["flavor"]
    assert "Choose one of: small, large" in said(checked(engine, flavor="huge"))["flavor"]


def test_a_toggle_means_its_value(engine: Template) -> None:
    assert checked(engine, encrypted=True).inputs["encrypted"] == "yes"
    assert "encrypted" not in checked(engine, encrypted=False).inputs


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ({"admin_password": None}, "admin_password", "Give a value"),
        ({"admin_password": ""}, "admin_password", "Give a value"),
        ({"admin_password": ["x"]}, "admin_password", "a text"),
        ({"flavor": None}, "flavor", "Give a value"),
        ({"nothing": 1}, "nothing", "no such input"),
        ({"__class__": 1}, "__class__", "no such input"),
        ({"num_cpus": 64}, "num_cpus", "follows from flavor"),
        ({"users": []}, "users", "filled in for you"),
        ({"owner": "bob"}, "owner", "filled in for you"),
        ({"size_with": 5}, "size_with", "no such input"),
        ({"gpus": 7}, "gpus", "Choose one of: 0, 1"),
        ({"gpus": True}, "gpus", "Choose one of"),
        ({"enable_monitoring": "maybe"}, "enable_monitoring", "true or false"),
        ({"project_name": "Not Lower"}, "project_name", "must match [a-z]+"),
        ({"project_name": "abc\n"}, "project_name", "must match"),
        ({"docker_storage_size": "1 TB"}, "docker_storage_size", "Not above 100 GB"),
        ({"docker_storage_size": "1 MB"}, "docker_storage_size", "Not below 1 GB"),
        ({"docker_storage_size": "plenty"}, "docker_storage_size", "a number and a unit"),
        ({"docker_storage_size": 20}, "docker_storage_size", "a text"),
        ({"size_of_run": 60}, "size_of_run", "Not above 10"),
        ({"gpus": 1, "size_of_run": 5}, "size_of_run", "Not below 10"),
        ({"size_of_run": 5.5}, "size_of_run", "a whole number"),
        ({"partition": "7x 1g"}, "partition", "Choose one of: None"),
        ({"model": "T4", "partition": "7x 1g"}, "partition", "Choose one of: None"),
        ({"repos": ["cms.cern.ch", "cms.cern.ch"]}, "repos", "only once"),
        ({"repos": ["evil.example.org"]}, "repos/0", "Choose one of"),
        ({"contact": "nobody"}, "contact", "e-mail"),
        ({"environment_variables": {"A": "b"}}, "environment_variables", "a list"),
        ({"environment_variables": [{"A": 1}]}, "environment_variables/0/A", "a text"),
        ({"labels": [1]}, "labels", "names with values"),
        ({"service_ports": {"a": {"source": 0}}}, "service_ports/a/source", "Not below 1"),
        ({"service_ports": {"a": 65536}}, "service_ports/a/source", "Not above 65535"),
        ({"service_ports": {"a": -1}}, "service_ports/a/source", "Not below"),
        ({"service_ports": {"a": "x"}}, "service_ports/a", "a port like 443"),
        ({"service_ports": {"a": {"protocol": "tcp"}}}, "service_ports/a", "one port"),
        ({"service_ports": {"a": {"source": 1, "source_range": [1, 2]}}}, "service_ports/a", "one port"),
        ({"service_ports": {"a": {"source": 1, "exec": "x"}}}, "service_ports/a", "not known"),
        ({"service_ports": {"a": {"source": 1, "protocol": "carrier"}}}, "service_ports/a/protocol", "Choose one of"),
        ({"service_ports": {"a": "9-5"}}, "service_ports/a/source_range", "lower port first"),
        ({"service_ports": {"a": 8080, "b": "8000-9000"}}, "service_ports/b", "open already by 'a'"),
        ({"service_ports": {"a": 80}}, "service_ports/a", "open already by 'http'"),
        ({"service_ports": {"ssh": 2222}}, "service_ports/ssh", "needs ssh as it is"),
        (
            {"service_ports": {"a": {"source": 1, "remote_cidr": "192.168.0/33"}}},
            "service_ports/a/remote_cidr",
            "192.168.0.0/24",
        ),
        (
            {"service_ports": {"a": {"source": 1, "remote_cidr": "10.0.0.7/8"}}},
            "service_ports/a/remote_cidr",
            "Write 10.0.0.0/8",
        ),
        ({"service_ports": {"a\n": 1}}, "service_ports", "port's name"),
        ({"service_ports": {f"p{n}": 1000 + n for n in range(300)}}, "service_ports", "At most 200"),
        ({"project_name": "x" * 1_000_000}, "", "larger than 512 KiB"),
        ({"project_name": float("nan")}, "", "not JSON"),
        ({"project_name": {1, 2}}, "", "not JSON"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(engine: Template, given: dict[str, Any], place: str, words: str) -> None:
    answer = checked(engine, **given)
    assert answer.inputs == {}
    assert not answer.valid
    assert words in said(answer)[place]


def test_a_number_is_finite_and_plain(tmp_path: Path) -> None:
    inputs = "{type: float, default: 1.5, constraints: [in_range: [0.5, 30], less_than: 1.0e999]}"
    inputs += "\n    load: {type: float, default: [], required: no}"
    source = write(tmp_path, {"e.yaml": TEMPLATE.replace("{type: integer, default: 0}", inputs)})
    catalogue = load([Root("x", source)])
    told = " ".join(problem.message for problem in catalogue.problems)
    assert "Constraint less_than: not a number" in told
    assert "Input load: the default is not a number" in told
    template = catalogue.template("e")
    for value in ("nan", "inf", "-Infinity", "1e999", "1_0", "٣", "0x1p3", ""):
        answer = validate(template, {"admin_password": "x", "gpus": value}, ALICE)
        assert said(answer)["gpus"] == "Write a number.", value
    assert validate(template, {"admin_password": "x", "gpus": " 2.5e1 "}, ALICE).inputs["gpus"] == 25


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (8443, {"protocol": "tcp", "source": 8443}),
        ("8000-8010/udp", {"protocol": "udp", "source_range": [8000, 8010]}),
        ({"source": "[8080,8082]", "protocol": "TCP"}, {"protocol": "tcp", "source_range": [8080, 8082]}),
        ({"source": "443", "remote_cidr": "0.0.0.0/0"}, {"protocol": "tcp", "source": 443}),
        ({"source": 443, "remote_cidr": "10.0.0.0/8"}, {"protocol": "tcp", "source": 443, "remote_cidr": "10.0.0.0/8"}),
        (
            {"source": 443, "remote_cidr": "2001:db8::/32"},
            {"protocol": "tcp", "source": 443, "remote_cidr": "2001:db8::/32"},
        ),
    ],
)
def test_ports_as_people_write_them(engine: Template, rule: Any, kept: dict[str, Any]) -> None:
    assert checked(engine, service_ports={"web": rule}).inputs["service_ports"]["web"] == kept


def test_the_same_port_for_two_networks(engine: Template) -> None:
    both = {"a": {"source": 5432, "remote_cidr": "10.1.0.0/16"}, "b": {"source": 5432, "remote_cidr": "10.2.0.0/16"}}
    assert checked(engine, service_ports=both).valid
    assert checked(engine, service_ports={"a": "53/udp", "b": "53/tcp"}).valid


def test_sizes_are_compared_by_what_they_mean(engine: Template) -> None:
    assert checked(engine, docker_storage_size="20000MB").inputs["docker_storage_size"] == "20000 MB"


def test_without_an_ssh_key_nothing_is_deployed(engine: Template) -> None:
    answer = checked(engine, ALICE.model_copy(update={"ssh_public_key": ""}))
    assert "no SSH key" in said(answer)["users"]


def test_what_only_the_platform_has_is_asked_of_it(tmp_path: Path) -> None:
    text = TEMPLATE.replace(
        "  outputs:",
        "    bucket: {type: tosca.nodes.indigo.S3Bucket, properties: {bucket_name: x, s3_url: 'https://rgw'}}\n  outputs:",
        1,
    )
    parameters = PARAMETERS.replace(
        "owner: {type: userinfo, attribute: sub}", "owner: {type: ldap_user, inputs: {username: u, password: p}}"
    )
    source = write(tmp_path, {"templates/e.yaml": text, "parameters/e.parameters.yml": parameters})
    answer = checked(load([Root("x", source)]).template("e"))
    assert {(item.kind, item.name) for item in answer.missing} == {
        ("openstack_ec2credentials", "__bucket"),
        ("ldap_user", "owner"),
    }
    assert answer.missing[0].details == {"url": "https://rgw"}


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*a){20}", "(x+x+)+y"])
def test_no_expression_takes_long(tmp_path: Path, pattern: str) -> None:
    source = write(tmp_path, {"e.yaml": TEMPLATE.replace("[a-z]+", pattern)})
    template = load([Root("x", source)]).template("e")
    began = time.monotonic()
    answer = validate(template, {"admin_password": "x", "project_name": "a" * 1990 + "!"}, ALICE)
    assert time.monotonic() - began < 2
    assert "must match" in said(answer)["project_name"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
NAMES = [
    "flavor",
    "admin_password",
    "gpus",
    "size_of_run",
    "partition",
    "model",
    "service_ports",
    "repos",
    "docker_storage_size",
    "labels",
]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), json_values, max_size=6))
def test_any_inputs_give_inputs_or_sentences(engine: Template, given_: dict[str, Any]) -> None:
    answer = validate(engine, given_, ALICE)
    assert answer.valid or not answer.inputs
    assert all(problem.message for problem in answer.problems)


port = st.integers(1, 65535)
rules = st.builds(
    lambda a, b, p: {"protocol": p, "source_range": sorted([a, b])}, port, port, st.sampled_from(["tcp", "udp"])
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ports=st.dictionaries(st.sampled_from("abcd"), rules, max_size=4))
def test_ports_are_accepted_exactly_when_none_is_open_twice(engine: Template, ports: dict[str, Any]) -> None:
    opened: list[tuple[str, int]] = [("tcp", 22), ("tcp", 80)]
    for rule in ports.values():
        opened += [(rule["protocol"], number) for number in range(rule["source_range"][0], rule["source_range"][1] + 1)]
    assert checked(engine, service_ports=ports).valid is (len(opened) == len(set(opened)))
