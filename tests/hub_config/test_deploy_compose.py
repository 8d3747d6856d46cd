"""`naas deploy compose` without an engine: the folder it writes, and what it refuses."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from naas_client.errors import NaasError
from naas_client.files import secret_file, write_private
from naas_hub.deploy.certificate import CERTIFICATE, KEY
from naas_hub.deploy.checks import CHOSEN_HERE
from naas_hub.deploy.compose import GENERATED, OPERATORS, UIDS, Compose
from naas_hub.settings import SiteSettings, load_site, read_secrets
from pydantic import BaseModel

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files get owners")
REPOSITORY = Path(__file__).parents[2]
HOST = "notebooks.example.org"
SIGN_IN = {"public_url": "https://checks.example.org", "upstream": "unix:/run/healthchecks/web.sock"}
Write = Callable[..., Compose]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A deployment of good settings, but for what is given by dotted key (None: left out)."""

    def make(**changes: Any) -> Compose:
        secret_file(tmp_path / "iam-secret")
        settings: dict[str, Any] = {
            "iam": {"issuer": "https://iam.example.org", "client_secret_file": str(tmp_path / "iam-secret")},
            "storage": {"url": "https://rgw.example.org"},
            "gateway": {"public_hub_url": f"https://{HOST}"},
        }
        if "profiles" in changes:
            settings["profiles"] = changes.pop("profiles")
        for path, value in changes.items():
            section, key = path.split("__")
            settings.setdefault(section, {})[key] = value
            if value is None:
                del settings[section][key]
        (tmp_path / "naas.yaml").write_text(yaml.safe_dump(settings))
        return Compose(tmp_path / "naas.yaml", tmp_path / "out")

    return make


def services(written: Compose) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((written.folder.root / "compose.yaml").read_text())
    return dict(document["services"])


def revisions(written: Compose) -> dict[str, str]:
    return {
        name: part["labels"]["io.infn.naas.revision"] for name, part in services(written).items() if "labels" in part
    }


def test_the_hub_would_start_with_what_is_written(write: Write, tmp_path: Path) -> None:
    written = write()
    written.write()
    config = tmp_path / "out" / "config" / "naas.yaml"
    text = config.read_text().replace("/run/secrets", str(tmp_path / "out" / "secrets"))
    write_private(tmp_path / "as-the-hub-sees-it.yaml", text)
    settings = load_site(tmp_path / "as-the-hub-sees-it.yaml")
    assert set(read_secrets(settings)) >= {"iam.client_secret_file", "hub.crypt_key_file"}
    assert settings.gateway.url == "http://10.201.0.1:8183"
    assert settings.hub.data_dir == tmp_path / "out" / "data"


def test_each_file_belongs_to_the_part_that_reads_it(write: Write, tmp_path: Path) -> None:
    write().write()
    out = tmp_path / "out"
    assert out.stat().st_mode & 0o777 == (out / "secrets").stat().st_mode & 0o777 == 0o700
    for name, (part, _) in GENERATED.items():
        found = (out / "secrets" / name).stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o600, UIDS.get(part, 0)), name
    assert (out / "config" / "naas.yaml").stat().st_uid == UIDS["gateway"]


def secret_keys(section: type[BaseModel], path: str = "") -> set[str]:
    """Dotted keys of all settings that name a file with a secret."""
    found = set()
    for name, field in section.model_fields.items():
        nested = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        for model in (kind for kind in nested if issubclass(kind, BaseModel)):
            found |= secret_keys(model, f"{path}{name}.")
        if name.endswith("_file"):
            found.add(f"{path}{name}")
    return found


def test_each_secret_that_can_be_named_is_copied_made_or_refused() -> None:
    copied = {f"{section}.{key}" for section, key in OPERATORS}
    made = {f"{section}.{key}" for section, keys in CHOSEN_HERE.items() for key in keys}
    certificate, refused = {CERTIFICATE, KEY}, {"healthchecks.sign_in.token_file", "mail.password_file"}
    found = secret_keys(SiteSettings)
    assert found == copied | certificate | refused | {key for key in made if key.endswith("_file")}


def test_the_gateway_reads_a_copy_of_the_admin_key_of_healthchecks(write: Write, tmp_path: Path) -> None:
    key = secret_file(tmp_path / "admin-key")
    written = write(
        healthchecks__url="https://checks.example.org", healthchecks__admin_key_file=str(tmp_path / "admin-key")
    )
    written.write()
    copy = tmp_path / "out" / "secrets" / "healthchecks-admin-key"
    assert (copy.read_text().strip(), copy.stat().st_uid) == (key, UIDS["gateway"])
    readers = [name for name, part in services(written).items() if copy.name in part.get("secrets", [])]
    assert readers == ["gateway"]
    assert written.effective()["healthchecks"]["admin_key_file"] == f"/run/secrets/{copy.name}"


def test_no_secret_is_where_the_engine_shows_it(write: Write, tmp_path: Path) -> None:
    write().write()
    out = tmp_path / "out"
    seen = "".join((out / name).read_text() for name in ("compose.yaml", ".env", "README.md", "config/naas.yaml"))
    for file in (out / "secrets").iterdir():
        assert file.read_text().strip() not in seen, file.name


def test_no_part_has_more_privilege_than_its_work_needs(write: Write) -> None:
    written = write()
    written.write()
    for name, part in services(written).items():
        assert part["cap_drop"] == ["ALL"], name
        assert part["read_only"], name
        assert "no-new-privileges:true" in part["security_opt"], name
        assert "privileged" not in part, name
        engine = any(volume["source"] == "/var/run/docker.sock" for volume in part["volumes"])
        assert engine is (name in {"hub", "network", "containers"}), name
        assert (part["user"] == "0:0") is (name in {"hub", "network", "containers", "mounts"}), name
    assert [name for name, part in services(written).items() if "ports" in part] == ["web"]


def test_a_second_run_keeps_secrets_and_says_what_has_changed(write: Write, tmp_path: Path) -> None:
    first = write()
    first.write()
    before = {file.name: file.read_bytes() for file in (tmp_path / "out" / "secrets").iterdir()}
    revision = revisions(first)
    assert write().write() == []
    changed = write(deploy__acme_email="support@example.org")
    assert changed.write() == ["changed: config/Caddyfile", "changed: compose.yaml"]
    assert {name for name, value in revisions(changed).items() if revision[name] != value} == {"web"}
    assert {file.name: file.read_bytes() for file in (tmp_path / "out" / "secrets").iterdir()} == before


def test_another_client_secret_makes_hub_and_gateway_anew(write: Write, tmp_path: Path) -> None:
    first = write()
    first.write()
    before = revisions(first)
    write_private(tmp_path / "iam-secret", "another-secret-of-the-client")
    second = write()
    assert second.write() == ["changed: secrets/iam-client-secret", "changed: compose.yaml"]
    assert {name for name, value in revisions(second).items() if before[name] != value} == {"hub", "gateway"}


def test_a_database_of_ones_own_leaves_postgresql_out(write: Write) -> None:
    written = write(
        hub__db_url="postgresql+psycopg2://hub@db.example.org/hub",
        gateway__database_url="postgresql+asyncpg://gateway@db.example.org/gateway",
    )
    written.write()
    assert "postgres" not in services(written)
    assert written.effective()["hub"]["db_url"].endswith("@db.example.org/hub")


def test_the_password_of_ones_own_database_is_in_the_closed_settings_alone(write: Write, tmp_path: Path) -> None:
    write(
        hub__db_url="postgresql+psycopg2://hub:the-password@db.example.org/hub",
        gateway__database_url="postgresql+asyncpg://gateway:the-password@db.example.org/gateway",
    ).write()
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert [file.name for file in files if "the-password" in file.read_text()] == ["naas.yaml"]
    found = (tmp_path / "out" / "config" / "naas.yaml").stat()
    assert (found.st_mode & 0o777, found.st_uid) == (0o600, UIDS["gateway"])


def volumes(written: Compose, part: str) -> dict[str, dict[str, Any]]:
    """Of a part, by their place in it."""
    return {volume["target"]: volume for volume in services(written)[part]["volumes"]}


def test_the_gateway_keeps_what_the_catalogue_fetches_and_reads_its_folders(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir(mode=0o755)
    sources = [
        {"kind": "git", "name": "remote", "url": "https://git.example.org/catalogue.git"},
        *({"kind": "folder", "name": name, "path": str(folder)} for name in ("mine", "again")),
    ]
    written = write(catalogue__sources=sources)
    written.write()
    seen = volumes(written, "gateway")
    assert seen[str(folder)] == {"type": "bind", "source": str(folder), "target": str(folder), "read_only": True}
    assert len(services(written)["gateway"]["volumes"]) == len(seen)
    cache = Path(written.effective()["catalogue"]["cache"])
    kept = seen[str(cache.parent)]
    assert "read_only" not in kept
    assert Path(kept["source"]).stat().st_uid == UIDS["gateway"]


def test_a_folder_of_the_catalogue_that_the_gateway_cannot_read_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o750)
    with pytest.raises(
        NaasError, match=r"catalogue\.sources: mine: the gateway .* cannot read it\. Run `chmod -R o\+rX"
    ):
        write(catalogue__sources=[{"kind": "folder", "name": "mine", "path": str(tmp_path / "closed")}])


def offering(folder: Path) -> dict[str, Any]:
    """Settings in which a profile offers CVMFS, which the machine has in a folder."""
    profile = {"slug": "small", "name": "Small", "cvmfs": ["sft.cern.ch"]}
    return {"hub__cvmfs": {"path": str(folder)}, "profiles": [profile]}


def test_the_hub_sees_what_cvmfs_mounts_on_the_machine(write: Write, tmp_path: Path) -> None:
    (tmp_path / "cvmfs").mkdir()
    written = write(**offering(tmp_path / "cvmfs"))
    written.write()
    place = str(tmp_path / "cvmfs")
    bound = {"type": "bind", "source": place, "target": place, "read_only": True, "bind": {"propagation": "rslave"}}
    assert volumes(written, "hub")[place] == bound
    assert written.shown == [tmp_path / "cvmfs"]


def test_without_a_profile_that_offers_it_no_cvmfs_is_looked_for(write: Write) -> None:
    written = write(hub__cvmfs={"path": "/no/such", "repositories": {"sft.cern.ch": "LCG releases"}})
    written.write()
    assert "/no/such" not in volumes(written, "hub")


def test_cvmfs_that_is_not_on_the_machine_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(
        NaasError, match=r"hub\.cvmfs\.path: .*none is not on this machine, .* Install its client, or name"
    ):
        write(**offering(tmp_path / "none"))


MOUNTS = """
cd "$1" && mkdir shared slave private
mount -t tmpfs none shared && mount --make-shared shared
mount --bind shared slave && mount --make-slave slave
mount -t tmpfs none private
exec "$2" -c "$3" "$1/$4" "$1/$5"
"""
LOOK = """
import sys
from pathlib import Path
from naas_client.errors import Unavailable
from naas_hub.deploy.machine import check_mounts
try:
    check_mounts(Path(sys.argv[1]), [Path(sys.argv[2])])
except Unavailable as error:
    print(error.message)
"""


@pytest.mark.parametrize(
    ("data", "shown", "refused"),
    [
        ("shared", "shared", ""),
        ("shared", "slave", ""),
        ("slave", "shared", "slave"),
        ("shared", "private", "private"),
        ("private", "shared", "private"),
    ],
)
def test_mounts_must_be_such_that_containers_see_them(tmp_path: Path, data: str, shown: str, refused: str) -> None:
    """In a mount namespace of its own."""
    argv = ["unshare", "--mount", "sh", "-ec", MOUNTS, "-", tmp_path, sys.executable, LOOK, data, shown]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    place = tmp_path / refused
    said = f"{place} is on {place}, whose mounts are private, so folders could not be shown in containers. Run `mount"
    assert done.stdout.startswith(said) if refused else done.stdout == ""


def test_a_dollar_stays_a_dollar(write: Write) -> None:
    written = write(hub__data_dir="/srv/na$as")
    assert '"/srv/na$$as/web"' in written._bind("/srv/na$as/web", "/data")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iam__issuer": None}, "iam.issuer: missing. Name your IAM"),
        ({"iam__client_secret_file": None}, "iam.client_secret_file: missing. Name a file of mode 0600"),
        ({"iam__client_secret_file": "/no/such/file"}, "iam.client_secret_file: /no/such/file cannot be read"),
        ({"storage__url": "http://127.0.0.1:8182"}, "storage.url: name your object store as servers in containers"),
        ({"gateway__public_hub_url": None}, "public_hub_url: http://127.0.0.1:8000: give the address for browsers"),
        ({"gateway__public_hub_url": "https://a.example.org/hub"}, "give the address for browsers"),
        ({"gateway__public_hub_url": "https://a.org { respond }"}, "give the address for browsers"),
        ({"deploy__acme_email": "a@b.org }"}, "deploy.acme_email: String should match pattern"),
        ({"gateway__public_hub_url": "https://localhost"}, "localhost is no public name"),
        ({"gateway__public_hub_url": "https://10.0.0.4"}, "10.0.0.4 is no public name"),
        ({"gateway__url": "http://127.0.0.1:1"}, "gateway.url: `naas deploy compose` chooses this itself. Remove it"),
        (
            {"healthchecks__admin_key_file": "/no/such/file"},
            "healthchecks.admin_key_file: /no/such/file cannot be read",
        ),
        (
            {"healthchecks__sign_in": SIGN_IN},
            "healthchecks.sign_in: no part of this deployment runs its proxy. Remove it",
        ),
        ({"mail__host": "mx.example.org", "mail__sender": "a@b.org"}, "mail: no part of this deployment sends e-mail"),
        ({"catalogue__cache": "/x"}, "catalogue.cache: `naas deploy compose` chooses this itself. Remove it"),
        (
            {"catalogue__sources": [{"kind": "folder", "name": "mine", "path": "/no/such"}]},
            "catalogue.sources: mine: /no/such: name a folder that is there",
        ),
        ({"hub__spawner": "local"}, "hub.spawner: here servers run in containers. Remove it"),
        ({"hub__docker": {"network": "other"}}, "prefix and network follow from deploy.name"),
        ({"hub__data_dir": "data"}, "hub.data_dir: give the whole path"),
        ({"hub__template_paths": ["/no/such"]}, "hub.template_paths: /no/such: name a file or folder that is there"),
        ({"deploy__subnet": "10.0.0.1/20"}, "deploy.subnet: 10.0.0.1/20 has host bits set"),
        ({"deploy__subnet": "193.0.0.0/20"}, "deploy.subnet: name a private network between /16 and /28"),
        ({"deploy__tls": "files"}, "tls: files needs certificate_file and certificate_key_file. Name both"),
        ({"deploy__certificate_file": "/x"}, "belong to tls: files. Set that, or remove them"),
        ({"deploy__tsl": "acme"}, "deploy.tsl: unknown key"),
    ],
)
def test_settings_that_cannot_be_deployed_are_refused_before_anything_is_written(
    write: Write, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(NaasError) as refused:
        write(**changes)
    assert said in refused.value.message
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_else_is_left_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    with pytest.raises(
        NaasError, match=r"is not empty, and `naas deploy compose` did not write it\. Name a new folder"
    ):
        write()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_a_data_folder_of_somebody_else_is_left_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir(mode=0o755)
    (tmp_path / "srv" / "run").mkdir(mode=0o755)
    with pytest.raises(
        NaasError,
        match=r"hub\.data_dir: .*srv is not empty, and `naas deploy compose` did not make it\. Name a new folder",
    ):
        write(hub__data_dir=str(tmp_path / "srv"))
    assert (tmp_path / "srv" / "run").stat().st_mode & 0o777 == 0o755


def test_secrets_do_not_lie_in_a_folder_of_the_host(write: Write, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 0, 19999)
    shared.chmod(0o2770)
    folders = [{"name": "shared", "path": str(shared), "groups": ["users/naas"]}]
    with pytest.raises(NaasError, match=r"hub\.host_folders: shared: .* lie in one another\. Name a folder outside"):
        write(hub__host_folders=folders, hub__data_dir=str(shared / "data"))


@pytest.mark.parametrize(("key", "value"), [("name", "other"), ("subnet", "10.202.0.0/20")])
def test_names_and_addresses_do_not_change_under_running_containers(write: Write, key: str, value: str) -> None:
    write().write()
    said = rf"deploy\.{key} was .* when .* and is {value} now\. Set it back, or end the service"
    with pytest.raises(NaasError, match=said):
        write(**{f"deploy__{key}": value})


def test_an_ended_service_may_have_another_name(write: Write, tmp_path: Path) -> None:
    write().write()
    (tmp_path / "out" / ".naas-deploy.json").unlink()
    assert "changed: .env" in write(deploy__name="other").write()


@pytest.mark.parametrize("damaged", [b"", b'{"deploy.name": "na', b"[]", b"\xff\xfe"])
def test_a_damaged_mark_is_said_with_the_remedy(write: Write, tmp_path: Path, damaged: bytes) -> None:
    write().write()
    mark = tmp_path / "out" / ".naas-deploy.json"
    mark.write_bytes(damaged)
    with pytest.raises(NaasError, match=r"naas-deploy\.json is damaged, .* End the service .* and delete that file"):
        write()
    mark.unlink()
    assert write().write() == []


class Certificates:
    """Makes certificates in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())

    def certificate(self, host: str = HOST, begin: int = -1, end: int = 30) -> None:
        now, name = dt.datetime.now(dt.UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        built = (
            x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=begin))
            .not_valid_after(now + dt.timedelta(days=end))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        (self.folder / "certificate").write_bytes(built.public_bytes(Encoding.PEM))

    def write_key(self, other: bool = False, password: str = "") -> None:
        key = ec.generate_private_key(ec.SECP256R1()) if other else self.key
        closed: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        write_private(self.folder / "key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closed))


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    found = Certificates(tmp_path)
    found.certificate()
    found.write_key()
    return found


def deployed(write: Write, folder: Path) -> Compose:
    files = {"certificate_file": folder / "certificate", "certificate_key_file": folder / "key"}
    return write(deploy__tls="files", **{f"deploy__{key}": str(path) for key, path in files.items()})


@pytest.mark.parametrize("name", [HOST, "*.example.org"])
def test_a_certificate_for_the_name_is_copied_for_the_web_part(
    write: Write, tmp_path: Path, made: Certificates, name: str
) -> None:
    made.certificate(name)
    deployed(write, tmp_path).write()
    copied = tmp_path / "out" / "secrets" / "certificate-key"
    assert copied.read_bytes() == (tmp_path / "key").read_bytes()
    assert (copied.stat().st_uid, copied.stat().st_mode & 0o777) == (UIDS["web"], 0o600)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda made: made.certificate(end=0), r"certificate expired on [\d-]+\. Get a new one"),
        (lambda made: made.certificate(begin=2), r"is valid from .* only\. Is the clock of this machine right"),
        (lambda made: made.certificate("other.example.org"), rf"is for other\.example\.org, and .* says {HOST}"),
        (lambda made: made.certificate("*.org"), r"is for \*\.org, and"),
        (lambda made: made.write_key(other=True), "is not the key of the certificate"),
        (lambda made: made.write_key(password="closed"), "is encrypted, and nobody is there to type its password"),
        (lambda made: (made.folder / "key").chmod(0o644), "is readable by others"),
        (lambda made: (made.folder / "key").unlink(), r"deploy\.certificate_key_file: .* cannot be read"),
        (lambda made: (made.folder / "certificate").unlink(), r"deploy\.certificate_file: .* cannot be read"),
        (lambda made: (made.folder / "certificate").write_text("none"), "holds no certificate in PEM"),
    ],
)
def test_a_certificate_that_cannot_serve_is_refused(
    write: Write, tmp_path: Path, made: Certificates, spoil: Callable[[Certificates], object], said: str
) -> None:
    spoil(made)
    with pytest.raises(NaasError, match=said):
        deployed(write, tmp_path)


def test_the_example_for_readers_can_be_deployed(tmp_path: Path) -> None:
    secret_file(tmp_path / "iam-secret")
    example = (REPOSITORY / "deploy/compose/naas.yaml").read_text()
    (tmp_path / "naas.yaml").write_text(example.replace("/etc/naas", str(tmp_path)))
    assert Compose(tmp_path / "naas.yaml", tmp_path / "out").write()


def test_without_an_engine_nothing_is_written(write: Write, tmp_path: Path) -> None:
    write()
    argv = [Path(sys.executable).with_name("naas"), "deploy", "compose", "--config", tmp_path / "naas.yaml"]
    environment = {
        **os.environ,
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    (tmp_path / "docker-compose").write_text("")
    (tmp_path / "docker-compose").chmod(0o755)
    done = subprocess.run(
        [*argv, "--out", tmp_path / "out"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "No Docker engine answers. Install and start it" in done.stderr
    assert not (tmp_path / "out").exists()
