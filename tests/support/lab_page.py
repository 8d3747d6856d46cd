"""JupyterLab in a browser: its settings, our panel, and what axe says of our parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chromium import AXE

OURS = ("#jp-naas-panel", "#jp-naas-status")
DARK = {"themes.jupyterlab-settings": '{"theme": "JupyterLab Dark"}'}
QUIET = {"notification.jupyterlab-settings": '{"fetchNews": "false", "checkForUpdates": false}'}
"""No question about Jupyter's news, which would lie over what a test clicks."""
ITALIAN = {"translation-extension/plugin.jupyterlab-settings": '{"locale": "it_IT"}'}


def write_settings(config: Path, entries: dict[str, str]) -> None:
    """Put a person's Lab settings where Lab reads them. Parameters: ``config``, Jupyter's configuration folder."""
    for name, content in entries.items():
        folder, _, file = name.rpartition("/")
        path = config / "settings" / "@jupyterlab" / (folder or "apputils-extension") / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def show_panel(page: Any) -> Any:
    """The panel, opened by its key."""
    page.keyboard.press("Alt+Shift+N")
    panel = page.locator("#jp-naas-panel")
    panel.wait_for(state="visible")
    return panel


def serious(page: Any, *within: str) -> list[str]:
    """What axe finds serious or critical. Parameters: ``within``, selectors; without any, the panel and the status bar."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("within => axe.run({include: within})", [[selector] for selector in within or OURS])
    return [
        f"{violation['id']}: {node['target']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
