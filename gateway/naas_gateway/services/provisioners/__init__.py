"""Who makes people's buckets, and the rules that keep them apart: one contract, chosen by ``storage.provisioner``."""

from __future__ import annotations

from naas_client.settings import SharedSettings, read_secret

from naas_gateway.clients.iam import Iam
from naas_gateway.clients.rgw import RgwAdmin
from naas_gateway.clients.s3 import Keys, Store
from naas_gateway.clients.sites import Sites
from naas_gateway.services.audit import Audit
from naas_gateway.services.provisioners.contract import Provisioner
from naas_gateway.services.provisioners.embedded import Embedded
from naas_gateway.services.provisioners.own import OwnCredentials
from naas_gateway.services.provisioners.rgw import Rgw

__all__ = ["Provisioner", "make_provisioner"]


def make_provisioner(settings: SharedSettings, sites: Sites, iam: Iam, audit: Audit) -> Provisioner:
    """The provisioner that the site chose. Raises InvalidInput when it needs a key that is missing, open or a default."""
    storage, store = settings.storage, Store(sites)
    if storage.provisioner == "shared-role":
        return OwnCredentials(storage, store, audit)
    if storage.provisioner == "embedded":
        path = storage.admin_secret_key_file
        wanted = path is not None or bool(storage.long_lived_keys.groups or settings.collaborations)
        return Embedded(storage, sites, audit, read_secret(path, "storage.admin_secret_key_file") if wanted else "")
    keys = Keys(
        read_secret(storage.admin_access_key_file, "storage.admin_access_key_file", shortest=1),
        read_secret(storage.admin_secret_key_file, "storage.admin_secret_key_file"),
        storage.region,
    )

    async def issuer() -> str:
        return str((await iam.discover())["issuer"])

    return Rgw(storage, RgwAdmin(sites, keys), store, audit, issuer)
