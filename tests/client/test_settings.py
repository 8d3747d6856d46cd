"""naas.yaml: every mistake is named by its key, with the remedy; secrets are real secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from naas_client.errors import InvalidInput
from naas_client.settings import IamSection, SharedSettings, load, read_secret

MISTAKES = [
    ("iam:\n  isuer: https://iam.example.org\n", r"iam\.isuer: unknown key.*naas config schema"),
    ("iam:\n  issuer: iam.example.org\n", r"iam\.issuer: an address starts with http"),
    ("iam:\n  auth_refresh_age: soon\n", r"iam\.auth_refresh_age: .*integer"),
    ("iam:\n  auth_refresh_age: -1\n", r"iam\.auth_refresh_age: .*greater than or equal to 5"),
    ("storage:\n  session_seconds: 100000\n", r"storage\.session_seconds: .*43200"),
    ("capabilities:\n  storage: []\n", r"capabilities\.storage: name a group, or leave the capability out"),
    ("mail:\n  host: smtp.example.org\n", r"mail: sender is missing\. Give the address"),
    (
        "mail: {host: smtp.example.org, sender: a@example.org, user: a}\n",
        r"mail: user and password_file belong together",
    ),
    (
        "mail: {host: smtp.example.org, sender: a@example.org, security: none, user: a, password_file: /p}\n",
        r"mail: security: none would send the password in clear",
    ),
    *(
        (f"storage:\n  folders: [{{name: cygno, bucket: cygno-data, groups: [cygno], {change}}}]\n", sentence)
        for change, sentence in (
            ("name: a/b", r"storage\.folders\.0\.name: use 1 to 63 lower-case letters"),
            ("name: ..", r"storage\.folders\.0\.name: use 1 to 63"),
            ("name: données", r"storage\.folders\.0\.name: use 1 to 63"),
            ("name: scratch", r"storage\.folders\.0\.name: scratch and scratch-… are folders that everybody has"),
            ("name: scratch-alice", r"storage\.folders\.0\.name: scratch and"),
            ("bucket: Data_1", r"storage\.folders\.0\.bucket: a bucket cannot be called so: it may have lower-case"),
            ("bucket: ab", r"storage\.folders\.0\.bucket: .*3 to 63 characters"),
            ("bucket: 10.0.0.1", r"storage\.folders\.0\.bucket: .*S3 keeps such names for itself"),
            ("bucket: alice--x", r"storage\.folders\.0\.bucket: names with two hyphens in a row are for"),
            ("bucket: scratch", r"storage: folders: cygno names the bucket scratch, which is storage\.scratch_bucket"),
            ("prefix: /runs", r"storage\.folders\.0\.prefix: use letters, digits"),
            ("prefix: 'runs/*'", r"storage\.folders\.0\.prefix: use letters, digits"),
            ("prefix: runs/../x", r"storage\.folders\.0\.prefix: use letters, digits"),
            ("groups: []", r"storage\.folders\.0\.groups: .*at least 1"),
            ("groups: [/cygno]", r"storage\.folders\.0\.groups\.0: name a group as IAM does, without a slash in front"),
            ("quota: 3", r"storage\.folders\.0\.quota: unknown key"),
        )
    ),
    (
        "storage:\n  folders:\n" + 2 * "  - {name: cygno, bucket: cygno-data, groups: [cygno]}\n",
        r"storage\.folders: two folders are called cygno",
    ),
    *(
        (
            f"healthchecks:\n  sign_in: {{public_url: 'https://c.example.org', upstream: 'unix:/s', {change}}}\n",
            sentence,
        )
        for change, sentence in (
            (
                "upstream: 'http://10.0.0.7:8000'",
                r"sign_in\.upstream: whoever reaches the application can be anyone there",
            ),
            ("upstream: 'http://127.0.0.1.evil.example'", r"sign_in\.upstream: whoever"),
            ("upstream: 'https://127.0.0.1:8000'", r"sign_in\.upstream: whoever"),
            ("upstream: 'http://127.0.0.1:8000/hc'", r"sign_in\.upstream: give scheme, host and port only"),
            ("upstream: 'unix:run/web.sock'", r"sign_in\.upstream: name the socket by its whole path"),
            ("public_url: 'http://c.example.org'", r"sign_in\.public_url: .*must start with https"),
            ("public_url: 'https://c.example.org/checks'", r"sign_in\.public_url: give scheme, host and port only"),
            ("public_url: 'http://127.0.0.1:8000'", r"public_url is the hub's own address.*Give it a host of its own"),
            ("listen: 'https://127.0.0.1:8186'", r"sign_in\.listen: this proxy speaks http"),
            ("header: X-Remote_Email", r"sign_in\.header: .*pattern"),
            ("header: Host", r"sign_in\.header: .*pattern"),
            ("open_paths: [/]", r"sign_in\.open_paths: '/': a path begins and ends with /"),
            ("open_paths: [/ping]", r"sign_in\.open_paths: '/ping': a path begins and ends"),
            ("open_paths: [/naas-sign-in/x/]", r"sign_in\.open_paths: .*belongs to the proxy itself"),
            ("cookies: ['a=b']", r"sign_in\.cookies\.0: .*pattern"),
            ("upstream: 'http://127.0.0.1:81', listen: 'http://127.0.0.1:81'", "are the same address"),
        )
    ),
    ("iam: [", "not valid YAML"),
    ("- a\n- b\n", "must be keys and values, not list"),
    ("groups:\n  users/naas:\n    description: 7\n", r"groups\.users/naas\.description"),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_is_named_with_path_and_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "naas.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=sentence) as refused:
        load(file, SharedSettings)
    assert str(file) in refused.value.message


@pytest.mark.parametrize("content", [b"iam: [", b"site: {name: caff\xe8}\n", b"\x00\x01"])
def test_what_is_no_yaml_is_named_by_its_place(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "naas.yaml"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="not valid YAML") as refused:
        load(file, SharedSettings)
    assert refused.value.message.count(str(file)) == 2
    assert "unicode string" not in refused.value.message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "naas.yaml"
    file.write_text("iam:\n  isuer: x\n  client: y\n")
    with pytest.raises(InvalidInput) as refused:
        load(file, SharedSettings)
    assert len(refused.value.message.splitlines()) == 2


def test_defaults_are_complete_and_a_missing_file_is_named() -> None:
    assert load(None, SharedSettings).storage.audience == "object"
    with pytest.raises(InvalidInput, match="cannot be read"):
        load(Path("/nowhere/naas.yaml"), SharedSettings)


@pytest.mark.parametrize(
    ("value", "mode", "sentence"),
    [
        ("test_token", 0o600, "default or too short"),
        ("changeme", 0o600, "default or too short"),
        ("", 0o600, "default or too short"),
        ("tooshort1", 0o600, "openssl rand"),
        ("x" * 32, 0o644, "chmod 600"),
    ],
)
def test_a_weak_or_open_secret_is_refused_and_not_shown(tmp_path: Path, value: str, mode: int, sentence: str) -> None:
    file = tmp_path / "secret"
    file.write_text(value)
    file.chmod(mode)
    with pytest.raises(InvalidInput, match=sentence) as refused:
        read_secret(file, "hub.token_file")
    assert "hub.token_file" in refused.value.message
    assert len(value) < 3 or value not in refused.value.message


def test_a_missing_secret_names_its_key(tmp_path: Path) -> None:
    for path in (None, tmp_path / "absent"):
        with pytest.raises(InvalidInput, match=r"iam\.client_secret_file"):
            read_secret(path, "iam.client_secret_file")


@pytest.mark.parametrize(
    ("groups", "subject", "allowed", "admin"),
    [
        (["users/naas"], "s", True, False),
        (["admins"], "s", True, True),
        ([], "s", False, False),
        (["users/naas/other"], "s", False, False),
        (["users"], "s", False, False),
        ([], "owner", True, True),
    ],
)
def test_who_may_come_in_and_who_administers(groups: list[str], subject: str, allowed: bool, admin: bool) -> None:
    iam = IamSection(owners=["owner"])
    assert iam.allows(groups, subject) is allowed
    assert iam.administers(groups, subject) is admin
