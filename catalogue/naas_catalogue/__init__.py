"""The catalogue of services: reads the INFN Cloud dashboard's own files, makes forms of them and checks what people fill in."""

from naas_catalogue.catalogue import Catalogue, Root, load, own_root
from naas_catalogue.checks import validate
from naas_catalogue.conditions import ConditionError, holds
from naas_catalogue.forms import Context, build
from naas_catalogue.templates import Template

__all__ = [
    "Catalogue",
    "ConditionError",
    "Context",
    "Root",
    "Template",
    "build",
    "holds",
    "load",
    "own_root",
    "validate",
]
