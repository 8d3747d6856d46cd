"""Which images there are, and what goes into each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "images"
CACHE = REPOSITORY / ".cache" / "images"
SBOMS = REPOSITORY / "dist" / "images"

PYTHON = "3.11"
"""Of Debian 12; the locks are made for it."""


@dataclass(frozen=True)
class Recipe:
    """One image: a folder below `images/` with a Dockerfile, and perhaps `requirements.in` and `package.json`."""

    name: str
    parent: str | None
    """The image of ours that it starts from; None for the one that starts from Debian."""
    extras: tuple[str, ...] = ()
    """Extras of `jupyterhub-naas` that are installed in it; none when its parent has what it needs."""
    variants: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the Dockerfile is."""
        return IMAGES / self.name

    @property
    def lock(self) -> Path | None:
        """Pinned versions and hashes of its Python packages; None when it has none of its own."""
        return IMAGES / "lock" / f"{self.name}.txt" if self.extras or self.requirements else None

    @property
    def requirements(self) -> Path | None:
        """Names of Python packages beside those of the extras."""
        file = self.folder / "requirements.in"
        return file if file.exists() else None


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("base", None),
        Recipe("agent", "base", ("laptop",)),
        Recipe("lab", "base", ("lab",), ("r",)),
        Recipe("hub", "base", ("hub", "docker", "gateway")),
        Recipe("web", "base"),
        Recipe("postgres", "base"),
        Recipe("ml", "lab"),
        Recipe("community", "lab"),
        Recipe("matlab", "lab"),
    )
}
