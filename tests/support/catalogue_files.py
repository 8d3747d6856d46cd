"""A catalogue in the shape of INFN's own files, written for tests."""

from __future__ import annotations

from pathlib import Path

from naas_catalogue import Context

KEY = "ssh-ed25519 " + "A" * 68 + " alice@laptop"
ALICE = Context(
    username="alice",
    subject="sub-1",
    name="Alice A.",
    email="alice@example.org",
    groups=frozenset({"users/naas", "ml-infn"}),
    group="users/naas",
    ssh_public_key=KEY,
)

TEMPLATE = """\
tosca_definitions_version: tosca_simple_yaml_1_0

imports:
  - indigo_custom_types: https://types.example.org/raw/v3.4.0/tosca_types/infrastructure/docker_types.yaml

description: >
  Deploy a machine with an engine.
  Optionally run a file.

metadata:
  display_name: Engine

topology_template:
  inputs:
    num_cpus:
      type: integer
      default: 2
      constraints:
      - valid_values: [ 1, 2, 4 ]
    mem_size: {type: scalar-unit.size, default: 4 GB}
    docker_storage_size:
      type: scalar-unit.size
      default: 20 GB
      constraints:
        in_range: [1 GB, 100 GB]
    os_version:
      type: version
      default: 20.10
      constraints:
         - valid_values: [ 18.04, 20.10, 7 ]
    project_name: {type: string, default: myprj, constraints: [pattern: '[a-z]+']}
    environment_variables:
      required: no
      default: []
      type: list
      entry_schema: {type: map, entry_schema: {type: string}}
    labels: {type: map, entry_schema: {type: string}, default: {}, required: no}
    enable_monitoring: {type: boolean, default: false}
    admin_password: {type: string}
    generated: {type: string, default: ""}
    run_id: {type: string, default: ""}
    owner: {type: string, default: ""}
    contact: {type: string, default: ""}
    gpus: {type: integer, default: 0}
    model: {type: string, default: ""}
    partition: {type: string, default: "None"}
    repos: {type: string, default: ""}
    size_of_run: {type: integer, default: 1}
    encrypted: {type: string, default: "no"}
    service_ports:
      type: map
      required: false
      default: { "ssh": { "protocol": "tcp", "source": 22 } }
      constraints:
        - min_length: 0
      entry_schema: {type: tosca.datatypes.indigo.network.PortSpec}
    users:
      type: list
      entry_schema: {type: tosca.datatypes.indigo.User}
      default: []
      required: false

  node_templates:
    server:
      type: tosca.nodes.indigo.Compute
      properties:
        os_users: { get_input: users }
      capabilities:
        endpoint: {properties: {ports: { get_input: service_ports }}}
        host: {properties: {num_cpus: { get_input: num_cpus }, mem_size: { get_input: mem_size }}}
        os: {properties: {distribution: ubuntu, type: linux, version: 20.10}}

  outputs:
    node_ip: {value: { get_attribute: [ server, public_address, 0 ] }}
    node_creds: {value: { get_attribute: [ server, endpoint, credential, 0 ] }}
    grafana_endpoint: {value: { concat: [ "https://", get_attribute: [ server, public_address, 0 ], ":3000" ] }}
    kubeconfig: {value: none}
"""

PARAMETERS = """\
tabs: [Configuration, Monitoring, Advanced things]
inputs:
  flavor:
    type: combined
    display_name: Flavor
    tab: Configuration
    constraints:
      - {value: small, label: "small: 1 CPU, 2 GB", set: {num_cpus: "1", mem_size: 2 GB}}
      - {value: large, label: "large: 4 CPU, 8 GB", set: {num_cpus: "4", mem_size: 8 GB, disk_size: 10 GB}}
    group_overrides:
      ml-infn:
        constraints:
          - {value: huge, label: "huge: 4 CPU, 64 GB", set: {num_cpus: "4", mem_size: 64 GB}}
  num_cpus: {type: hidden}
  mem_size: {type: hidden}
  project_name: {display_name: "Name of the <b>project</b>", tab: Advanced things, placeholder: myprj, updatable: true}
  enable_monitoring: {tab: Monitoring, info_box: 'See <a href="https://x">the guide</a>.', warning: Ports are opened, show_separator: true}
  admin_password: {type: password, tab: Monitoring}
  generated: {type: random_password}
  run_id: {type: uuidgen, extra_specs: {prefix: run-, suffix: -x}}
  owner: {type: userinfo, attribute: sub}
  contact: {type: email}
  users: {type: ssh_user}
  gpus:
    type: select
    dependent_inputs: [size_of_run]
    constraints: [{value: "0", label: none}, {value: 1, label: one}]
  model:
    type: radio
    constraints: [{value: "", label: none}, {value: A100, label: A100}, {value: T4, label: T4}]
  partition:
    type: dependent_select
    parent: model
    default: "None"
    constraints:
      - {parent_value: "", value: "None", label: whole}
      - {parent_value: T4, value: "None", label: whole}
      - {parent_value: A100, value: "None", label: whole}
      - {parent_value: A100, value: 7x 1g, label: seven}
  repos: {type: multiselect, required: false, options: "['cms.cern.ch', 'sft.cern.ch']", format: {type: string, delimiter: " "}}
  size_of_run:
    type: dependent_definition
    parent: gpus
    constraints:
      - {parent_value: 0, ref: size_without}
      - {parent_value: 1, ref: size_with}
  size_without: {type: integer, default: 5, constraints: [in_range: [1, 10]]}
  size_with: {type: integer, default: 50, constraints: [in_range: [10, 100]]}
  encrypted: {type: toggle, constraints: [{value: "yes"}]}
  service_ports:
    required_ports: {ssh: {protocol: tcp, source: 22}, http: {protocol: tcp, source: 80}}
    default: {}
    tab: Nowhere
outputs:
  grafana_endpoint: {type: url, display_name: Grafana, condition: "inputs['enable_monitoring'] == 'true'"}
  node_ip: {display_name: Address, description: "The <script>alert(1)</script>address"}
"""

METADATA = """\
version: "1.1.0"
services:
  - description: Engine and files
    metadata:
      display_name: Docker engine
      icon: https://icons.example.org/docker.png
      guide_url: https://guides.example.org/docker
      bookmark_id: docker
      visibility: {type: private, groups: [users/naas, /ml-infn], locked_regex: "users/.*"}
    templates:
      - {name: docker/engine.yaml, option: Simple, description: Just the engine}
      - {name: docker/missing.yaml, option: Missing}
"""


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Files below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def dashboard(root: Path) -> Path:
    """A source with one service, as INFN's two repositories have it together."""
    return write(
        root,
        {
            "tosca-templates/docker/engine.yaml": TEMPLATE,
            "tosca-parameters/docker/engine.parameters.yml": PARAMETERS,
            "tosca-metadata/docker/engine.metadata.yml": "metadata: {require_ssh_key: true, tags: [docker]}\n",
            "tosca-metadata/metadata.yml": METADATA,
        },
    )
