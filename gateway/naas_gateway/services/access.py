"""What a person may do: admitted at all, administrator, capabilities by group."""

from __future__ import annotations

from naas_client.errors import Forbidden
from naas_client.models import Capability, Claims
from naas_client.settings import SharedSettings

TITLES = {
    "storage": "Cloud storage",
    "catalogue": "The service catalogue",
    "healthchecks": "Healthchecks",
    "gpu": "GPUs",
    "images": "Images of the registries",
    "s3-keys": "Keys for other programs",
}


class Access:
    """The rules of ``naas.yaml`` about groups."""

    def __init__(self, settings: SharedSettings) -> None:
        self._settings = settings

    def require_admitted(self, claims: Claims) -> None:
        """Raise Forbidden unless the person may use the service at all."""
        iam = self._settings.iam
        if not iam.allows(claims.groups, claims.subject):
            raise Forbidden(
                f"You are no longer in a group that may use this service. {self.how_to_join(iam.allowed_groups)}",
                code="no-access",
            )

    def administers(self, claims: Claims) -> bool:
        """Whether the person is an administrator."""
        return self._settings.iam.administers(claims.groups, claims.subject)

    def how_to_join(self, groups: list[str]) -> str:
        """A sentence that says where to ask for membership."""
        links = [self._settings.groups[group].join_url for group in groups if group in self._settings.groups]
        where = next((link for link in links if link), "") or self._settings.iam.issuer
        return f"Ask to join {' or '.join(groups)} at {where}." if groups else "Ask the operators of this service."

    def capability(self, name: str, claims: Claims) -> Capability:
        """Whether a capability is open to the person, and if not, why and what to do."""
        groups = self._settings.capabilities.get(name)
        return self._open(name, groups, claims.groups)

    def healthchecks(self, claims: Claims) -> Capability:
        """Whether the person may have checks; closed where the site has no server for them."""
        if not self._settings.healthchecks.url:
            return Capability(allowed=False, reason="This site has no Healthchecks server. Ask its operators.")
        return self.capability("healthchecks", claims)

    def s3_keys(self, claims: Claims) -> Capability:
        """Whether the person may have long-lived keys; unlike other capabilities closed until groups are named. Keys open storage,
        so storage has to be open too."""
        storage = self.capability("storage", claims)
        return (
            self._open("s3-keys", self._settings.storage.long_lived_keys.groups, claims.groups)
            if storage.allowed
            else storage
        )

    def _open(self, name: str, groups: list[str] | None, own: list[str]) -> Capability:
        if groups is None or not set(groups).isdisjoint(own):
            return Capability(allowed=True, groups=groups or [])
        title = TITLES.get(name, name.capitalize())
        verb = "open" if title.endswith("s") else "opens"
        reason = f"{title} {verb} to members of {' or '.join(groups) or 'no group'}. {self.how_to_join(groups)}"
        return Capability(allowed=False, groups=groups, reason=reason)

    def of_groups(self, groups: list[str]) -> dict[str, Capability]:
        """What is open to members of these groups, whoever they are."""
        return {name: self._open(name, wanted, groups) for name, wanted in self._settings.capabilities.items()}

    def capabilities(self, claims: Claims) -> dict[str, Capability]:
        """All capabilities that the site names."""
        found = self.of_groups(claims.groups)
        if self._settings.healthchecks.url or "healthchecks" in found:
            found["healthchecks"] = self.healthchecks(claims)
        return {**found, "s3-keys": self.s3_keys(claims)} if self._settings.storage.long_lived_keys.groups else found
