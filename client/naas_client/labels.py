"""What our containers and images say of themselves (https://docs.docker.com/engine/manage-resources/labels/)."""

from __future__ import annotations

INSTALLATION = "io.infn.naas.installation"
"""Whose container it is: several installations may share an engine."""
KIND = "io.infn.naas.kind"
"""``server`` or ``agent``."""
USER = "io.infn.naas.user"
SERVER = "io.infn.naas.server"

START = "io.infn.naas.start"
"""Of an image: the command that starts a notebook server in it; without it, that is `jupyterhub-singleuser`."""
READ_ONLY_ROOT = "io.infn.naas.read-only-root"
"""Of an image, ``true``: it needs to write nowhere but in the home and in /tmp."""
