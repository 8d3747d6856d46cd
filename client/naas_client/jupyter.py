"""What Jupyter programs of the platform need before their first import: a quick start, and a place for kernels' sockets."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType

LONGEST_RUNTIME = 50
"""Characters of a runtime folder in which kernels' Unix sockets (limit 107, unix(7)) still fit beside their long names."""


def skip_slow_import() -> None:
    """Keep jsonschema from building its grammars of international addresses (1.7 s); only that format then goes unchecked.

    Call it before anything imports jsonschema, as Jupyter Server and JupyterHub do.
    """
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]


class _OfHubs(ModuleType):
    """Stands for a module that only a hub uses: whatever is imported from it is an empty class."""

    __path__: list[str] = []  # noqa: RUF012 - so that modules below it are looked for, and found in sys.modules

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


@contextlib.contextmanager
def importing_server() -> Iterator[None]:
    """Import `jupyterhub.singleuser.extension` first and in this block: it then comes without the hub's database and pages.

    JupyterHub 6 imports those into every server, which never uses them: half of the imports' time, and 30 MB of memory. After the
    block they can be imported as ever.
    """
    skip_slow_import()
    os.environ["JUPYTERHUB_SINGLEUSER_EXTENSION"] = "1"
    names = ("sqlalchemy", "sqlalchemy.exc", "jupyterhub.orm", "jupyterhub.handlers.pages")
    new = {name: _OfHubs(name) for name in names if name not in sys.modules}
    sys.modules.update(new)
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


def short_runtime_dir(usual: str) -> str | None:
    """Put the kernels' sockets into a new folder, when the path of the usual runtime folder is too long for Unix sockets.

    Returns the folder, which the caller deletes in the end; None when the usual one will do.
    """
    if len(usual) <= LONGEST_RUNTIME:
        return None
    os.environ["JUPYTER_RUNTIME_DIR"] = short = tempfile.mkdtemp(prefix="naas-")
    return short
