"""One validator for everything a person may choose at the start of a server.

The form, the API's body and the ``opt-`` query all end in `validate_options`, which takes nothing for granted: not the types, not the
sizes, not that a key was ever on the form. What comes out is a `Choice` in one normal form, and only that is kept.

Form fields: ``profile`` and, for each profile, ``<key>:<slug>`` for the keys in `KEYS` (so that the page works without JavaScript,
where the fields of all profiles are sent); a plain ``<key>`` counts for the chosen profile. ``again`` asks for the last choice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput
from naas_client.images import LONGEST, ImageName
from naas_client.languages import Translator
from naas_client.sizes import format_size, parse_size

from naas_spawner.profiles import GpuFlavour, ImageChoice, Profile, opens

KEYS = ("image", "custom_image", "cores", "memory", "gpu", "cvmfs")
"""What can be chosen inside a profile."""

NO_GPU = "none"
AGAIN = "again"
IGNORED = frozenset({"_xsrf", "display_name", "next"})
"""Form fields that belong to JupyterHub."""

ENGLISH = Translator(Path(__file__).parent, "en")

_SHOWABLE = re.compile(r"[\w.:/ @-]{1,60}", re.ASCII)


@dataclass(frozen=True)
class Choice:
    """A valid choice. ``memory`` in bytes; ``image`` is the reference to start, ``image_name`` what people read."""

    profile: Profile
    image: str
    image_name: str
    custom_image: bool
    cores: float
    memory: int
    gpu: GpuFlavour | None
    cvmfs: tuple[str, ...]

    def as_options(self) -> dict[str, Any]:
        """The normal form that the hub keeps as ``user_options``; `validate_options` takes it back."""
        return {
            "profile": self.profile.slug,
            **({"custom_image": self.image} if self.custom_image else {"image": self.image_name}),
            "cores": self.cores,
            "memory": self.memory,
            "gpu": self.gpu.name if self.gpu else NO_GPU,
            "cvmfs": list(self.cvmfs),
        }

    def describe(self, translate: Translator = ENGLISH) -> str:
        """The choice in one line and in a person's language, for example ``Standard · 2 cores · 8 GiB``."""
        cores = translate.plural("{n} core", "{n} cores", self.cores)
        parts = [self.profile.name, cores, format_size(self.memory)]
        if self.custom_image or len(self.profile.images) > 1:
            parts.append(self.image_name)
        if self.gpu:
            parts.append(self.gpu.name)
        if self.cvmfs:
            parts.append(f"CVMFS {', '.join(self.cvmfs)}")
        return " · ".join(parts)


def allowed_profiles(profiles: Sequence[Profile], groups: Sequence[str] | set[str]) -> list[Profile]:
    """The profiles that a member of these groups may use, in the site's order."""
    return [profile for profile in profiles if opens(profile.groups, groups)]


def default_profile(allowed: Sequence[Profile]) -> Profile:
    """The profile of a person who says nothing. Raises InvalidInput when there is none."""
    if not allowed:
        raise InvalidInput("No profile is open to your groups. Ask your group's manager for access.", code="profile")
    return next((profile for profile in allowed if profile.default), allowed[0])


def from_form(fields: Mapping[str, object], last: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Form or query fields (lists of strings) as raw options; nothing is checked here but which fields count."""
    single = {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in fields.items()}
    if single.pop(AGAIN, None) and last:
        return dict(last)
    options = {key: value for key, value in single.items() if ":" not in key and key not in IGNORED}
    slug = options.get("profile")
    for key in KEYS:
        if (own := f"{key}:{slug}") in single:
            options[key] = single[own]
    filled = {key: value for key, value in options.items() if value not in ("", [], None)}
    if "custom_image" in filled:  # the list of images always sends one
        filled.pop("image", None)
    return filled


def validate_options(profiles: Sequence[Profile], groups: Sequence[str] | set[str], raw: object) -> Choice:
    """The choice that a person's options stand for; a key that is missing takes the profile's default.

    Parameters: ``profiles``, all of the site; ``groups``, the person's; ``raw``, anything at all.
    Raises InvalidInput with a sentence for the person; its ``code`` is the key that is wrong.
    """
    if not isinstance(raw, Mapping):
        raise InvalidInput("Start options are an object with keys such as `profile`. Send one.", code="options")
    if unknown := [key for key in raw if key != "profile" and key not in KEYS]:
        known = ", ".join(("profile", *KEYS))
        raise InvalidInput(f"{_shown('Option', unknown[0])} is not known. Use only: {known}.", code="options")
    allowed = allowed_profiles(profiles, groups)
    profile = _profile(profiles, allowed, raw["profile"]) if "profile" in raw else default_profile(allowed)
    image = _image(profile, set(groups), raw)
    choice = Choice(
        profile=profile,
        image=image.image,
        image_name=image.name,
        custom_image="custom_image" in raw,
        cores=_cores(profile, raw),
        memory=_memory(profile, raw),
        gpu=_gpu(profile, set(groups), raw),
        cvmfs=_cvmfs(profile, raw),
    )
    if choice.cores < (least := profile.memory.needs_cores.get(choice.memory, 0)):
        raise InvalidInput(
            f"{format_size(choice.memory)} needs {least:g} cores or more. Choose more cores or less memory.",
            code="memory",
        )
    return choice


def _shown(what: str, value: object) -> str:
    """``what`` with the value when that is short and plain; hostile or long input is never repeated."""
    return f"{what} “{value}”" if isinstance(value, str) and _SHOWABLE.fullmatch(value) else f"This {what.lower()}"


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"The option `{key}` is one text. Send a single string.", code=key)
    if len(value) > LONGEST:
        raise InvalidInput(f"The option `{key}` is longer than {LONGEST} characters. Shorten it.", code=key)
    return value


def _profile(profiles: Sequence[Profile], allowed: Sequence[Profile], value: object) -> Profile:
    slug = _text("profile", value)
    if found := next((profile for profile in allowed if profile.slug == slug), None):
        return found
    names = ", ".join(profile.slug for profile in allowed) or "none"
    if locked := next((profile for profile in profiles if profile.slug == slug), None):
        groups = " or ".join(locked.groups)
        raise InvalidInput(
            f"The profile {locked.name} is open to members of {groups}. Join, or choose one of: {names}.",
            code="profile",
        )
    raise InvalidInput(f"{_shown('Profile', value)} does not exist. Choose one of: {names}.", code="profile")


def _image(profile: Profile, groups: set[str], raw: Mapping[str, object]) -> ImageChoice:
    if "custom_image" in raw:
        return _custom_image(profile, groups, raw)
    allowed = [image for image in profile.images if opens(image.groups, groups)]
    if not allowed:
        raise InvalidInput(f"No image of the profile {profile.name} is open to your groups.", code="image")
    if "image" not in raw:
        return next((image for image in allowed if image.default), allowed[0])
    name = _text("image", raw["image"])
    if found := next((image for image in allowed if image.name == name), None):
        return found
    names = ", ".join(image.name for image in allowed)
    raise InvalidInput(f"{_shown('Image', name)} is not one of your images here. Choose one of: {names}.", code="image")


def _custom_image(profile: Profile, groups: set[str], raw: Mapping[str, object]) -> ImageChoice:
    if "image" in raw:
        raise InvalidInput("Give an image from the list or one of your own, not both.", code="image")
    reference = _text("custom_image", raw["custom_image"])
    patterns = custom_patterns(profile, groups)
    if not patterns:
        raise InvalidInput("Your groups may not start images of their own. Choose one from the list.", code="image")
    if not _is_image(reference) or not any(re.fullmatch(pattern, reference) for pattern in patterns):
        raise InvalidInput(
            f"{_shown('Image', reference)} is not one that your groups may start. It must match: {' or '.join(patterns)}.",
            code="image",
        )
    return ImageChoice(name=reference[:80], image=reference)


def _is_image(reference: str) -> bool:
    try:
        ImageName.parse(reference)
    except InvalidInput:
        return False
    return True


def custom_patterns(profile: Profile, groups: set[str]) -> list[str]:
    """The patterns for own images that these groups open."""
    return [pattern for group, pattern in profile.image_pattern.items() if group in groups]


def _cores(profile: Profile, raw: Mapping[str, object]) -> float:
    if "cores" not in raw:
        return profile.cores.preferred
    value = raw["cores"]
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        if isinstance(value, str) and len(value) > 20:
            number = math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if number in profile.cores.choices:
        return number
    given = ", ".join(f"{choice:g}" for choice in profile.cores.choices)
    raise InvalidInput(
        f"The profile {profile.name} does not have this number of cores. Choose one of: {given}.", code="cores"
    )


def _memory(profile: Profile, raw: Mapping[str, object]) -> int:
    if "memory" not in raw:
        return profile.memory.preferred
    try:
        size = parse_size(raw["memory"])
    except ValueError:
        size = -1
    if size in profile.memory.choices:
        return size
    given = ", ".join(format_size(choice) for choice in profile.memory.choices)
    raise InvalidInput(
        f"The profile {profile.name} does not have this size of memory. Choose one of: {given}.", code="memory"
    )


def _gpu(profile: Profile, groups: set[str], raw: Mapping[str, object]) -> GpuFlavour | None:
    allowed = [flavour for flavour in profile.gpu if opens(flavour.groups, groups)]
    default = next((flavour for flavour in allowed if flavour.default), None)
    if "gpu" not in raw:
        return default
    name = _text("gpu", raw["gpu"])
    if name == NO_GPU and default is None:
        return None
    if found := next((flavour for flavour in allowed if flavour.name == name), None):
        return found
    names = ", ".join([*(flavour.name for flavour in allowed), *([] if default else [NO_GPU])])
    raise InvalidInput(f"{_shown('GPU', name)} is not one of your GPUs here. Choose one of: {names}.", code="gpu")


def _cvmfs(profile: Profile, raw: Mapping[str, object]) -> tuple[str, ...]:
    value = raw.get("cvmfs", [])
    wanted = [value] if isinstance(value, str) else value
    if not isinstance(wanted, list | tuple) or len(wanted) > len(profile.cvmfs):
        raise InvalidInput(f"Choose CVMFS repositories from: {', '.join(profile.cvmfs) or 'none'}.", code="cvmfs")
    for repository in wanted:
        if _text("cvmfs", repository) not in profile.cvmfs:
            raise InvalidInput(
                f"{_shown('Repository', repository)} is not offered by this profile. "
                f"Choose from: {', '.join(profile.cvmfs) or 'none'}.",
                code="cvmfs",
            )
    return tuple(repository for repository in profile.cvmfs if repository in wanted)
