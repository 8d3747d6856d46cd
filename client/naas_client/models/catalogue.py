"""The catalogue of services as panel, magics, CLI and gateway see it.

Texts come from other people's files: they are plain text, never markup, and whoever shows them escapes them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from naas_client.models.base import Document

Scalar = str | int | float | bool

Widget = Literal[
    "text",
    "textarea",
    "password",
    "email",
    "hostname",
    "ssh-key",
    "integer",
    "number",
    "size",
    "boolean",
    "toggle",
    "select",
    "multiselect",
    "radio",
    "list",
    "list-of-maps",
    "map",
    "ports",
    "users",
    "document",
]
"""How a field is shown: `size` is a number with a unit (`4 GB`), `list-of-maps` rows of key and value, `document` any JSON."""


class CatalogueProblem(Document):
    """Something in a catalogue's files that could not be used."""

    source: str = Field(description="the source's name in the settings")
    file: str = Field(default="", description="path inside the source; empty when the source itself is the trouble")
    line: int | None = Field(default=None, description="from 1")
    message: str = Field(description="what is wrong and how to mend it")
    severity: Literal["error", "warning"] = Field(
        default="error", description="`error`: a service, variant or output is left out or cannot be deployed"
    )


class CatalogueVariant(Document):
    """One way to deploy a service: one template."""

    name: str = Field(description="path of the template without `.yaml`")
    title: str
    description: str = ""
    usable: bool = True
    reason: str = Field(default="", description="why it cannot be deployed")


class CatalogueEntry(Document):
    """A service: a card of the catalogue."""

    name: str
    title: str
    description: str = ""
    category: str = ""
    tags: list[str] = Field(default_factory=list)
    guide_url: str = ""
    icon: bool = Field(default=False, description="whether `GET …/icon` has one")
    legacy: bool = Field(default=False, description="kept for who has it; not for new work")
    locked: bool = Field(default=False, description="shown, but not for the caller's groups")
    reason: str = Field(default="", description="why it is locked, and who opens it")
    variants: list[CatalogueVariant] = Field(default_factory=list)


class FormOption(Document):
    """One choice of a field."""

    value: Scalar
    label: str
    parent_value: Scalar | None = Field(default=None, description="only offered while the parent has this value")
    sets: dict[str, Any] = Field(default_factory=dict, description="inputs that follow from this choice")


class FormField(Document):
    """What the JSON Schema does not say of a field: how it looks and what it depends on."""

    name: str
    widget: Widget
    label: str
    description: str = ""
    placeholder: str = ""
    info: str = ""
    warning: str = ""
    separator: bool = Field(default=False, description="a line above")
    required: bool = False
    secret: bool = Field(default=False, description="never shown, logged or kept in presets")
    updatable: bool = Field(default=False, description="may be changed while the deployment runs")
    unit: str = Field(default="", description="of a size, for example `GB`")
    rows: int | None = None
    options: list[FormOption] = Field(default_factory=list)
    required_ports: dict[str, Any] = Field(default_factory=dict, description="always opened; shown locked")
    parent: str = Field(default="", description="the field whose value decides on options or alternatives")
    alternatives: list[FormAlternative] = Field(default_factory=list)


class FormAlternative(Document):
    """How a field looks while its parent has a value."""

    parent_value: Scalar
    field: FormField


class FormTab(Document):
    """Fields that are shown together, in order."""

    title: str
    fields: list[str]


class FilledInput(Document):
    """An input that nobody is asked for."""

    name: str
    source: Literal["default", "choice", "user", "generated", "platform"] = Field(
        description="`choice`: follows from another field; `platform`: whoever deploys has to bring it"
    )
    kind: str = Field(description="the type in the parameters file, for example `openstack_ec2credentials`")
    details: dict[str, Any] = Field(default_factory=dict, description="what the platform needs to bring it")


class CatalogueOutput(Document):
    """An output of a deployment, and how it is shown."""

    name: str
    kind: Literal["text", "url", "kubeconfig", "ssh-user", "node-credentials"] = "text"
    label: str
    description: str = ""
    warning: str = ""
    condition: str = Field(default="", description="shown only when this holds; evaluated by the gateway alone")


class CatalogueForm(Document):
    """A form for one template and one person: the same for panel, magics, CLI and the server's own check."""

    name: str
    title: str
    description: str = ""
    json_schema: dict[str, Any] = Field(description="JSON Schema 2020-12 of the inputs that a person may give")
    tabs: list[FormTab]
    fields: dict[str, FormField]
    filled: list[FilledInput] = Field(default_factory=list)
    outputs: list[CatalogueOutput] = Field(default_factory=list)
    requires_ssh_key: bool = True


class InputProblem(Document):
    """What is wrong with one input."""

    field: str = Field(description="empty when it is about all of them")
    path: str = Field(default="", description="place inside the field, for example `web/source`")
    message: str


class CheckInputs(Document):
    """Inputs to be checked without deploying."""

    template: str = Field(default="", max_length=300, description="of the service's variants; without it the first")
    group: str = Field(default="", max_length=200, description="the active IAM group")
    inputs: dict[str, Any] = Field(default_factory=dict, repr=False)
    ssh_public_key: str = Field(default="", max_length=2000, description="the key with which machines would be reached")


class CheckedInputs(Document):
    """Inputs as the orchestrator gets them, or what is wrong with those that were given."""

    inputs: dict[str, Any] = Field(default_factory=dict, repr=False)
    secrets: list[str] = Field(default_factory=list, description="names of inputs that are never shown or logged")
    missing: list[FilledInput] = Field(default_factory=list, description="what the platform still has to bring")
    problems: list[InputProblem] = Field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether the inputs can be sent."""
        return not self.problems
