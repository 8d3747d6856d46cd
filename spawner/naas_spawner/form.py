"""The spawn page's form: what a person may choose, what stays locked and why, and what they chose last time.

The fields are those of `naas_spawner.options`. The form works without JavaScript: the choices of every profile are in it, CSS shows
those of the chosen one, and the server takes only these. It brings its own style and script, so that it also works on
JupyterHub's stock page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from naas_client.folders import GroupFolder, HostFolder
from naas_client.languages import COOKIE, Translator, preferred
from naas_client.models import Capability, GpuState
from naas_client.registries import RegistrySection, registry_of
from naas_client.settings import GroupSection
from naas_client.sizes import format_size

from naas_spawner.options import AGAIN, NO_GPU, Choice, allowed_profiles, custom_patterns, default_profile
from naas_spawner.profiles import GpuFlavour, ImageChoice, Profile, opens

HERE = Path(__file__).parent


@dataclass(frozen=True)
class FormPage:
    """What the spawn page needs to know about a person and the site.

    Parameters: ``last``, the choice of the last start, valid now (else None); ``join_url``, where to ask for a group that has no
    address of its own; ``images_url``, where the image chooser asks (empty: there is none); ``usual_seconds``, profile slug → median
    duration of its starts in seconds; ``language``, see
    `request_language`; ``gpus``, what is free (None: not known, so nothing is said and nothing refused).
    """

    user: str
    groups: Collection[str]
    profiles: Sequence[Profile]
    storage: Capability
    scratch: bool = True
    group_folders: Sequence[GroupFolder] = ()
    host_folders: Sequence[HostFolder] = ()
    cvmfs_notes: Mapping[str, str] = field(default_factory=dict)
    images_url: str = ""
    registries: Sequence[RegistrySection] = ()
    last: Choice | None = None
    last_at: dt.datetime | None = None
    group_notes: Mapping[str, GroupSection] = field(default_factory=dict)
    join_url: str = ""
    contact: str = ""
    usual_seconds: Mapping[str, float] = field(default_factory=dict)
    language: str = "en"
    gpus: Sequence[GpuState] | None = None


@dataclass(frozen=True)
class GpuLine:
    """What the page says about one flavour. ``age`` in seconds; ``why``: why none is free; empty while one is."""

    free: int
    text: str
    why: str = ""
    age: int | None = None


def request_language(handler: Any) -> str:
    """The language for a hub request handler (tornado); without one, English."""
    if handler is None:
        return "en"
    cookie = handler.request.cookies.get(COOKIE)
    return preferred(cookie.value if cookie else "", handler.request.headers.get("Accept-Language", ""))


def request_translator(handler: Any) -> Translator:
    """The form's sentences in the language of a hub request handler."""
    return Translator(HERE, request_language(handler))


def render_options_form(page: FormPage) -> str:
    """The HTML of the form's inside: what ``Spawner.options_form`` gives to JupyterHub. All names and texts are escaped."""
    translate = Translator(HERE, page.language)
    groups = set(page.groups)
    lines = _gpu_lines(page, translate)
    allowed = allowed_profiles(page.profiles, groups)
    startable = [profile for profile in allowed if not _none_free(lines, _needed_gpus(profile, groups))]
    chosen = _chosen(page, startable)
    return _template().render(
        _=translate,
        page=page,
        lines=lines,
        gpus={name: asdict(line) for name, line in lines.items()},
        rows=[_Row(profile, groups, page, translate, chosen, lines) for profile in page.profiles],
        chosen=chosen,
        AGAIN=AGAIN,
        NO_GPU=NO_GPU,
        size=format_size,
        ago=lambda age: _ago(translate, age),
        lacks=lambda gpu: _lacks(lines, gpu),
        describe=lambda choice: choice.describe(translate),
        contact_url=contact_url,
        join_url=lambda group: _join_url(page, group),
        scanned=lambda image: bool(page.images_url) and registry_of(image.image, page.registries) is not None,
    )


def contact_url(contact: str) -> str:
    """The link for ``site.contact``, which is a mail address or a web page."""
    return contact if contact.startswith(("https://", "http://")) else f"mailto:{contact}"


def _chosen(page: FormPage, allowed: Sequence[Profile]) -> Profile | None:
    """The profile that is chosen when the page opens: the last one, else the site's default."""
    last = page.last.profile.slug if page.last else None
    if found := next((profile for profile in allowed if profile.slug == last), None):
        return found
    return default_profile(allowed) if allowed else None


def _join_url(page: FormPage, group: str) -> str:
    note = page.group_notes.get(group)
    return (note.join_url if note else "") or page.join_url


def _gpu_lines(page: FormPage, translate: Translator) -> dict[str, GpuLine]:
    """What to say about each flavour of the site's profiles; nothing while the counts are not known."""
    if page.gpus is None:
        return {}
    known, now = {state.flavour: state for state in page.gpus}, dt.datetime.now(dt.UTC)
    names = {flavour.name for profile in page.profiles for flavour in profile.gpu}
    return {name: _gpu_line(known.get(name), now, translate) for name in sorted(names)}


def _gpu_line(state: GpuState | None, now: dt.datetime, _: Translator) -> GpuLine:
    if state is None or not state.total:
        return GpuLine(0, _("none here now"), _("The site has no such GPU at the moment."))
    age = max(0, round((now - state.at).total_seconds()))
    if state.free:
        return GpuLine(state.free, _("{free} of {total} free", free=state.free, total=state.total), age=age)
    why = ""
    if state.busy_since:
        since = f"{state.busy_since:%-d %b %H:%M} UTC"
        why = _.plural(
            "It is in use since {since}.", "All {n} are in use, the longest since {since}.", state.total, since=since
        )
    return GpuLine(0, _("none free"), why, age)


def _ago(_: Translator, age: int) -> str:
    """An age in a few words; the page's script does the same."""
    if age < 60:
        return _("{n} s ago", n=age)
    return _("{n} min ago", n=age // 60) if age < 3600 else _("{n} h ago", n=age // 3600)


def _lacks(lines: Mapping[str, GpuLine], gpu: GpuFlavour | None) -> bool:
    """Whether it is known that there are not as many free as a server needs."""
    return gpu is not None and gpu.name in lines and lines[gpu.name].free < gpu.count


def _needed_gpus(profile: Profile, groups: Collection[str]) -> list[GpuFlavour]:
    """Where every server of a profile has a GPU, the flavours that a person may choose from, the default first."""
    opened = [flavour for flavour in profile.gpu if opens(flavour.groups, groups)]
    needed = any(flavour.default for flavour in opened)
    return sorted(opened, key=lambda flavour: not flavour.default) if needed else []


def _none_free(lines: Mapping[str, GpuLine], needed: Sequence[GpuFlavour]) -> bool:
    return bool(needed) and all(_lacks(lines, flavour) for flavour in needed)


class _Row:
    """A profile as one person sees it; the template reads the attributes."""

    def __init__(
        self,
        profile: Profile,
        groups: set[str],
        page: FormPage,
        translate: Translator,
        chosen: Profile | None,
        lines: Mapping[str, GpuLine],
    ) -> None:
        self.profile = profile
        self.groups = groups
        self.translate = translate
        self.lines = lines
        self.needed_gpus = _needed_gpus(profile, groups)
        self.none_free = _none_free(lines, self.needed_gpus)
        self.locked = not opens(profile.groups, groups)
        self.checked = profile is chosen
        self.given_by = next((group for group in profile.groups if group in groups), "")
        self.usual = page.usual_seconds.get(profile.slug)
        last = page.last if page.last and page.last.profile.slug == profile.slug else None
        self.last = last
        self.cores = last.cores if last else profile.cores.preferred
        self.memory = last.memory if last else profile.memory.preferred
        self.cvmfs = set(last.cvmfs) if last else set()

    @property
    def images(self) -> list[tuple[ImageChoice, bool, bool]]:
        """Image, whether it is open to the person, whether it is chosen when the page opens."""
        opened = [image for image in self.profile.images if opens(image.groups, self.groups)]
        default = next((image for image in opened if image.default), opened[0] if opened else None)
        if self.last:
            own = self.last.custom_image
            default = None if own else next((i for i in opened if i.name == self.last.image_name), default)
        return [(image, image in opened, image is default) for image in self.profile.images]

    @property
    def images_matter(self) -> bool:
        """Whether there is something to choose, or something to say, about images."""
        return len(self.profile.images) > 1 or bool(self.patterns) or not self.images[0][1]

    @property
    def patterns(self) -> list[str]:
        """What an image of one's own must match; none: not allowed."""
        return custom_patterns(self.profile, self.groups)

    @property
    def custom_image(self) -> str:
        """The image of one's own that was used last."""
        return self.last.image if self.last and self.last.custom_image else ""

    @property
    def gpus(self) -> list[tuple[GpuFlavour, bool]]:
        """Flavour and whether it is open to the person."""
        return [(flavour, opens(flavour.groups, self.groups)) for flavour in self.profile.gpu]

    @property
    def needed_counts(self) -> dict[str, int]:
        """Flavour → devices, of which a server of the profile must have one."""
        return {flavour.name: flavour.count for flavour in self.needed_gpus}

    @property
    def gpu(self) -> str:
        """Name of the flavour chosen when the page opens, or ``NO_GPU``: the last one or the default, if one is free."""
        last = [self.last.gpu] if self.last and self.last.gpu else []
        wanted = [*last, *self.needed_gpus]
        free = next((flavour for flavour in wanted if not _lacks(self.lines, flavour)), None)
        chosen = free or next(iter(self.needed_gpus), None)
        return chosen.name if chosen else NO_GPU

    @property
    def span(self) -> str:
        """What a server of this profile can have, in a few words: ``2 to 8 cores, 4 to 16 GiB``."""
        _ = self.translate
        least, most = min(self.profile.cores.choices), max(self.profile.cores.choices)
        small, large = min(self.profile.memory.choices), max(self.profile.memory.choices)
        cores = (
            _.plural("{n} core", "{n} cores", most)
            if least == most
            else _("{least} to {most} cores", least=f"{least:g}", most=f"{most:g}")
        )
        return f"{cores}, {self._memory_span(format_size(small), format_size(large))}"

    def _memory_span(self, small: str, large: str) -> str:
        if small == large:
            return small
        number, unit = small.split(" ")
        least = number if large.endswith(f" {unit}") else small
        return self.translate("{least} to {most}", least=least, most=large)

    @property
    def stops_after(self) -> str:
        """How long a server may be idle."""
        _, seconds = self.translate, self.profile.idle_timeout
        if not seconds:
            return _("never by itself")
        hours, minutes = seconds / 3600, seconds / 60
        if hours >= 1:
            return _("{n} h without activity", n=f"{hours:.3g}")
        return _("{n} min without activity", n=f"{minutes:.3g}")


@lru_cache(maxsize=1)
def _template() -> Any:
    loader = FileSystemLoader(HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(
        "form.html"
    )
