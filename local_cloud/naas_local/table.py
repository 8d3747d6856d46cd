"""What `naas up` and `naas status` show: one row a part, then where to go and who can sign in."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

LOOKS = {
    "ok": ("●", "green", "ready"),
    "starting": ("○", "cyan", "starting"),
    "waiting": ("○", "dim", "waiting"),
    "restarting": ("▲", "yellow", "starting again"),
    "failed": ("✕", "red", "failed"),
    "stopped": ("–", "dim", "stopped"),
}
DEMO_USERS = (
    ("alice", "users/naas, users/s3, developers"),
    ("bob", "users/naas, users/s3"),
    ("erin", "users/naas: starts without cloud-storage"),
    ("carol", "no group: not admitted"),
    ("dana", "admins, and the groups of alice: also administers the hub"),
)


def parts_table(rows: list[dict[str, Any]]) -> Table:
    """The parts with state, address and time to ready."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title, justify in (("part", "left"), ("state", "left"), ("ready after", "right"), ("address", "left")):
        table.add_column(title, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        sign, style, word = LOOKS.get(row["state"], ("?", "yellow", row["state"]))
        seconds = row["seconds_to_ready"]
        table.add_row(
            row["name"],
            Text(f"{sign} {word}", style=style),
            "" if seconds is None else f"{seconds:.1f} s",
            Text(row["url"] or row.get("problem") or "", style="" if row["url"] else "dim"),
        )
    return table


def whole(document: dict[str, Any], logs: str, embedded_iam: bool, as_root: bool) -> Group:
    """The live picture of `naas up`."""
    lines: list[Any] = [parts_table(document["parts"]), Text()]
    if document["ready"]:
        lines.append(Text.assemble("Open  ", (document["url"], "bold underline")))
        if embedded_iam:
            lines += [Text(), Text("Demo users; the password is the name:")]
            lines += [Text.assemble("  ", (f"{name:<7}", "bold"), (groups, "dim")) for name, groups in DEMO_USERS]
        if not as_root:
            lines += [
                Text(),
                Text(
                    "Not root: all servers run as you. Everyone who signs in here can reach your files.", style="yellow"
                ),
            ]
        lines.append(Text())
    lines.append(Text(f"Logs in {logs}. Ctrl-C stops everything.", style="dim"))
    return Group(*lines)
