"""Buckets and objects as the storage browser and `%storage` use them, on a real store with a session from STS."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from naas_client.errors import Conflict, Forbidden, InvalidInput, NaasError, NotFound, Unavailable
from naas_client.models import NewBucket
from naas_local.store import embedded_store
from naas_storage.buckets import Buckets, changes, transfer
from naas_storage.buckets.changes import Incomplete
from naas_storage.buckets.errors import AlreadyThere
from naas_storage.buckets.objects import Objects
from run_folder import prepare_run_folder, write_access
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer

pytestmark = pytest.mark.server
LIFE = 1800
"""Seconds of alice's session."""


@dataclass
class Site:
    """A store, and alice's run folder that leads to it."""

    url: str
    run: Path
    bob: Any
    session: dict[str, Any]
    buckets: Buckets

    @property
    def alice(self) -> Objects:
        return self.buckets.objects("alice")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, run = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("run")
    with (
        TokenIssuer().running() as issuer,
        embedded_store(folder, issuer.url) as store,
        pytest.MonkeyPatch.context() as patch,
    ):
        session = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=LIFE)
        bob = s3_client(store.url, assume_role(store.url, issuer.token("bob"), store.role_arn))
        s3_client(store.url, session).create_bucket(Bucket="alice")
        bob.create_bucket(Bucket="bob")
        bob.put_object(Bucket="bob", Key="secret.txt", Body=b"bob's own")
        bob.put_object(Bucket="scratch", Key="bob/shown.txt", Body=b"for all")
        prepare_run_folder(run, store.url, session)
        patch.setenv("NAAS_STORAGE_RUN", str(run))
        yield Site(store.url, run, bob, session, Buckets())


def put(objects: Objects, key: str, data: bytes = b"x", *, new: bool = False) -> None:
    upload = objects.upload(key, new=new)
    if upload.add(data):
        upload.send()
    assert upload.finish().size == len(data)


def read(objects: Objects, key: str) -> bytes:
    with contextlib.closing(objects.download(key)) as download:
        return b"".join(iter(lambda: download.read(2**20), b""))


def keys(objects: Objects, prefix: str = "", **query: Any) -> list[str]:
    return [entry.key for entry in objects.page(prefix, **query).items]


def uploads_left(objects: Objects) -> list[Any]:
    return list(objects.s3.list_multipart_uploads(Bucket=objects.bucket).get("Uploads", []))


class TestBuckets:
    def test_the_list_has_the_folders_and_what_was_made(self, site: Site) -> None:
        site.buckets.create(NewBucket(name="alice--made"))
        page = site.buckets.list()
        rows = {bucket.name: bucket.own for bucket in page.items}
        assert {"alice": True, "alice--made": True, "scratch": False}.items() <= rows.items()
        assert "bob" not in rows
        first = site.buckets.list(limit=1)
        assert (first.items[0].name, first.total, first.next) == ("alice", page.total, "alice")
        assert site.buckets.list(cursor="alice").items == page.items[1:]

    def test_a_bucket_is_counted(self, site: Site) -> None:
        site.buckets.create(NewBucket(name="alice--counted"))
        for number in range(3):
            put(site.buckets.objects("alice--counted"), f"a/{number}", b"12345")
        usage = site.buckets.describe("alice--counted").usage
        assert usage is not None
        assert (usage.objects, usage.used_bytes, usage.source) == (3, 15, "counted")

    def test_only_an_empty_one_is_deleted(self, site: Site) -> None:
        site.buckets.create(NewBucket(name="alice--gone"))
        objects = site.buckets.objects("alice--gone")
        put(objects, "x")
        with pytest.raises(Conflict) as refused:
            site.buckets.delete("alice--gone")
        assert refused.value.code == "bucket-not-empty"
        assert read(objects, "x") == b"x"
        objects.delete(["x"], [])
        objects.make_folder("empty/")
        objects.delete([], ["empty/"])
        site.buckets.delete("alice--gone")
        assert "alice--gone" not in [bucket.name for bucket in site.buckets.list().items]
        with pytest.raises(NotFound):
            site.buckets.describe("alice--gone")

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("data", "must start with alice--"),
            ("alice", "must start with alice--"),
            ("alice--", "must start with alice--"),
            ("alicex-data", "must start with alice--"),
            ("bob--data", "must start with alice--"),
            ("../bob", "must start with alice--"),
            ("alice--" + "x" * 60, "3 to 63"),
            ("alice--Data", "lower-case"),
            ("alice--a_b", "lower-case"),
            ("alice--a..b", "lower-case"),
            ("alice--a.-b", "lower-case"),
            ("alice--a/", "lower-case"),
            ("alice--a?acl", "lower-case"),
            ("alice--é", "lower-case"),
            ("alice--x-", "lower-case"),
            ("alice--x\n", "lower-case"),
            ("alice--x-s3alias", "S3 keeps"),
        ],
    )
    def test_names_that_cannot_be(self, site: Site, name: str, why: str) -> None:
        with pytest.raises(InvalidInput, match=why) as refused:
            site.buckets.create(NewBucket(name=name))
        assert refused.value.code == "bad-bucket-name"

    def test_what_is_somebody_elses_or_mounted_stays(self, site: Site) -> None:
        for name, error in (("alice", Conflict), ("scratch", Conflict), ("bob", Forbidden)):
            with pytest.raises(error):
                site.buckets.delete(name)
        with pytest.raises(Forbidden):
            site.buckets.describe("bob")
        with pytest.raises(Conflict) as refused:
            site.buckets.create(NewBucket(name="alice--twice")) and site.buckets.create(NewBucket(name="alice--twice"))
        assert refused.value.code == "exists"

    @pytest.mark.parametrize("name", ["..", "a/b", "arn:aws:s3:::bob", "a" * 300, "", "bob?x", "bo\nb"])
    def test_what_is_no_bucket_never_reaches_the_store(self, site: Site, name: str) -> None:
        with pytest.raises(InvalidInput):
            site.buckets.objects(name)

    def test_a_bucket_that_cannot_have_versions_is_not_made_without_them(self, site: Site) -> None:
        for wish in ({"versioning": True}, {"object_lock": True}):
            with pytest.raises(InvalidInput) as refused:
                site.buckets.create(NewBucket(name="alice--versions", **wish))
            assert refused.value.code == "not-supported"
        assert "alice--versions" not in [bucket.name for bucket in site.buckets.list().items]

    def test_a_bucket_that_looks_like_hers_may_be_somebody_elses(self, site: Site) -> None:
        site.bob.create_bucket(Bucket="bob--data")
        for act in (site.buckets.describe, lambda name: keys(site.buckets.objects(name))):
            with pytest.raises(Forbidden):
                act("bob--data")


class TestListing:
    def test_one_level_page_by_page(self, site: Site) -> None:
        for name in ("p/a", "p/b/1", "p/b/2", "p/c", "p/d"):
            put(site.alice, name)
        assert keys(site.alice, "p/") == ["p/a", "p/b/", "p/c", "p/d"]
        first = site.alice.page("p/", limit=2)
        assert [(entry.key, entry.folder) for entry in first.items] == [("p/a", False), ("p/b/", True)]
        assert first.next
        assert keys(site.alice, "p/", cursor=first.next) == ["p/c", "p/d"]
        with pytest.raises(InvalidInput):
            site.alice.page("p/", cursor="<no cursor>")
        for wrong in (0, 1001, -1):
            with pytest.raises(InvalidInput):
                site.alice.page("p/", limit=wrong)

    def test_a_search_finds_in_all_folders_and_any_case(self, site: Site) -> None:
        for name in ("s/Hits.csv", "s/deep/er/HITS-2.csv", "s/miss.csv", "hits-elsewhere.csv"):
            put(site.alice, name)
        assert keys(site.alice, "s/", search="hits") == ["s/Hits.csv", "s/deep/er/HITS-2.csv"]
        assert keys(site.alice, "s/", search="s/") == []
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = site.alice.page("s/", cursor=cursor, limit=1, search="HITS")
            assert page.scanned <= 1
            found += [entry.key for entry in page.items]
            cursor = page.next
        assert found == ["s/Hits.csv", "s/deep/er/HITS-2.csv"]

    def test_a_folder_is_made_once(self, site: Site) -> None:
        assert site.alice.make_folder("new/").folder
        put(site.alice, "file")
        for taken in ("new/", "file/"):
            with pytest.raises(Conflict) as refused:
                site.alice.make_folder(taken)
            assert refused.value.code == "exists"
        assert site.alice.page("new/").items == []
        assert ["made/in/"] == [site.alice.make_folder("made/in/").key] == keys(site.alice, "made/")
        assert {"made/", "new/"} <= set(keys(site.alice))


class TestNames:
    @pytest.mark.parametrize(
        "key", ["grüße/日本/🙂.txt", " blank ", "a+b=c&d?e#f%41.txt", "<img src=x onerror=alert(1)>", "x" * 255]
    )
    def test_odd_names_work(self, site: Site, key: str) -> None:
        put(site.alice, f"odd/{key}", b"odd")
        assert read(site.alice, f"odd/{key}") == b"odd"
        assert site.alice.rename(f"odd/{key}", "odd/plain") == 1
        assert site.alice.rename("odd/plain", f"odd/{key}") == 1
        assert httpx.get(site.alice.share(f"odd/{key}", 60).url).content == b"odd"
        assert site.alice.delete([f"odd/{key}"], []).deleted == 1

    def test_1024_bytes_are_a_key(self, site: Site) -> None:
        longest = "/".join(["k" * 250] * 4) + "/" + "k" * 20
        assert len(longest) == 1024
        put(site.alice, longest)
        assert read(site.alice, longest) == b"x"
        site.alice.delete([longest], [])

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "x" * 1025,
            "é" * 513,
            "a/../b",
            "../bob/secret.txt",
            "a/./b",
            "..",
            "nul\0",
            "half \ud800",
            "x" * 10_000_000,
        ],
    )
    def test_keys_that_cannot_be(self, site: Site, key: str) -> None:
        acts = (
            lambda: site.alice.upload(key),
            lambda: site.alice.download(key),
            lambda: site.alice.share(key),
            lambda: site.alice.rename("file", key),
            lambda: site.alice.delete([key], []),
            lambda: site.alice.versions(key),
        )
        for act in acts:
            with pytest.raises(InvalidInput) as refused:
                act()
            assert refused.value.code == "bad-key"
            assert len(refused.value.message) < 1000

    @pytest.mark.parametrize("key", ["a//b", "/a", "new\nline", "tab\tbed", "k" * 300])
    def test_keys_that_this_store_refuses_say_why(self, site: Site, key: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            put(site.alice, key)
        assert refused.value.code == "refused-name"
        assert "\n" not in refused.value.message

    def test_a_file_does_not_end_in_a_slash_and_a_folder_does(self, site: Site) -> None:
        with pytest.raises(InvalidInput, match="cannot end in a slash"):
            site.alice.upload("x/")
        with pytest.raises(InvalidInput, match="ends in a slash"):
            site.alice.make_folder("x")


@pytest.mark.parametrize("key", ["a\x01", "bell\x07/x", "\uffff"])
def test_what_no_listing_can_hold_is_not_made(site: Site, key: str) -> None:
    for act in (
        lambda: site.alice.upload(key),
        lambda: site.alice.rename("a", key),
        lambda: site.alice.make_folder(f"{key}/"),
    ):
        with pytest.raises(InvalidInput) as refused:
            act()
        assert refused.value.code == "bad-key"


class TestRename:
    def test_a_file(self, site: Site) -> None:
        put(site.alice, "r/a", b"content")
        assert site.alice.rename("r/a", "r/b") == 1
        assert keys(site.alice, "r/") == ["r/b"]
        assert read(site.alice, "r/b") == b"content"
        with pytest.raises(NotFound):
            site.alice.rename("r/a", "r/c")

    def test_nothing_is_overwritten(self, site: Site) -> None:
        put(site.alice, "o/a", b"1")
        put(site.alice, "o/b", b"2")
        put(site.alice, "o/d/x", b"3")
        for source, target in (("o/a", "o/b"), ("o/a", "o/d"), ("o/d/", "o/b/")):
            with pytest.raises(Conflict) as refused:
                site.alice.rename(source, target)
            assert refused.value.code == "exists"
        assert [read(site.alice, key) for key in ("o/a", "o/b", "o/d/x")] == [b"1", b"2", b"3"]
        for target in ("o/d/", "o/d/inner/", "o/d"):
            with pytest.raises(InvalidInput):
                site.alice.rename("o/d/", target)

    def test_a_folder_with_all_that_is_in_it(self, site: Site) -> None:
        for number in range(30):
            put(site.alice, f"f/old/{number % 3}/{number:02}", str(number).encode())
        assert site.alice.rename("f/old/", "f/new/") == 30
        assert keys(site.alice, "f/") == ["f/new/"]
        assert read(site.alice, "f/new/2/29") == b"29"

    def test_a_file_of_the_size_that_is_copied_in_parts(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(changes, "LARGEST_COPY", 5 * 2**20)
        data = secrets.token_bytes(11 * 2**20)
        upload = site.alice.upload("large.csv")
        upload.add(data)
        upload.finish()
        assert site.alice.rename("large.csv", "larger.csv") == 1
        assert read(site.alice, "larger.csv") == data
        assert site.alice.s3.head_object(Bucket="alice", Key="larger.csv")["ContentType"] == "text/csv"
        assert uploads_left(site.alice) == []

    def test_a_failure_while_copying_loses_nothing(self, site: Site) -> None:
        """Half of the folder cannot be copied: a file stands where a folder would have to be."""
        put(site.alice, "half/a", b"a")
        put(site.alice, "half/b", b"b")
        objects = site.alice
        real = objects.s3.copy_object

        def broken(**call: Any) -> Any:
            if call["Key"].endswith("/b"):
                raise ConnectionBroken
            return real(**call)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(objects.s3, "copy_object", broken)
            with pytest.raises(Incomplete, match="Everything is still there"):
                objects.rename("half/", "whole/")
        assert read(site.alice, "half/a") == b"a"
        assert read(site.alice, "half/b") == b"b"

    def test_what_changes_meanwhile_stays(self, site: Site) -> None:
        put(site.alice, "busy/a", b"old")
        objects = site.alice
        real = objects.s3.copy_object

        def overtaken(**call: Any) -> Any:
            answer = real(**call)
            put(site.alice, "busy/a", b"written while it was copied")
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(objects.s3, "copy_object", overtaken)
            with pytest.raises(Incomplete, match=r"busy/a first\. It was changed meanwhile"):
                objects.rename("busy/", "calm/")
        assert read(site.alice, "busy/a") == b"written while it was copied"
        assert read(site.alice, "calm/a") == b"old"


class TestDelete:
    def test_many_and_folders(self, site: Site) -> None:
        for name in ("d/a", "d/b", "d/sub/x", "d/sub/deep/y", "d/kept"):
            put(site.alice, name)
        gone = site.alice.delete(["d/a", "d/b", "d/never-was"], ["d/sub/"])
        assert (gone.deleted, gone.errors) == (5, [])
        assert keys(site.alice, "d/") == ["d/kept"]

    def test_what_may_not_be_deleted_is_told_key_by_key(self, site: Site) -> None:
        scratch = site.buckets.objects("scratch")
        put(scratch, "alice/mine")
        gone = scratch.delete(["alice/mine", "bob/shown.txt"], [])
        assert gone.deleted == 1
        assert [row["key"] for row in gone.errors] == ["bob/shown.txt"]
        assert "does not let you" in gone.errors[0]["message"]
        assert site.bob.get_object(Bucket="scratch", Key="bob/shown.txt")["Body"].read() == b"for all"


class TestTransfer:
    def test_an_empty_file(self, site: Site) -> None:
        put(site.alice, "nothing", b"")
        assert read(site.alice, "nothing") == b""

    def test_parts_become_one_object(self, site: Site) -> None:
        data = secrets.token_bytes(20 * 2**20 + 17)
        upload = site.alice.upload("parts", length=len(data))
        for start in range(0, len(data), 65536):
            if upload.add(data[start : start + 65536]):
                upload.send()
        assert upload.finish().size == len(data)
        assert read(site.alice, "parts") == data
        assert uploads_left(site.alice) == []

    def test_an_upload_that_ends_early_leaves_nothing(self, site: Site) -> None:
        upload = site.alice.upload("broken-off")
        upload.add(bytes(transfer.PART))
        upload.send()
        assert len(uploads_left(site.alice)) == 1
        upload.abort()
        assert uploads_left(site.alice) == []
        with pytest.raises(NotFound):
            site.alice.download("broken-off")
        with pytest.raises(Unavailable):
            upload.finish()

    def test_nothing_is_overwritten_when_it_must_be_new(self, site: Site) -> None:
        put(site.alice, "first", b"first", new=True)
        with pytest.raises(AlreadyThere):
            site.alice.upload("first", new=True)
        late = site.alice.upload("second", new=True)
        put(site.alice, "second", b"overtook")
        late.add(b"late")
        with pytest.raises(AlreadyThere):
            late.finish()
        assert read(site.alice, "second") == b"overtook"

    def test_what_is_not_hers(self, site: Site) -> None:
        with pytest.raises(Forbidden):
            put(site.buckets.objects("scratch"), "bob/x")
        with pytest.raises(Forbidden):
            site.buckets.objects("bob").download("secret.txt")
        assert read(site.buckets.objects("scratch"), "bob/shown.txt") == b"for all"


class TestLinks:
    def test_a_link_opens_one_object_as_a_download(self, site: Site) -> None:
        put(site.alice, "page.html", b"<script>alert(1)</script>")
        link = site.alice.share("page.html", 120)
        answer = httpx.get(link.url)
        assert answer.content == b"<script>alert(1)</script>"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
        assert 100 < (link.expires_at - dt.datetime.now(dt.UTC)).total_seconds() <= 120
        assert httpx.get(link.url.replace("page.html", "file", 1)).status_code == 403

    def test_it_lives_no_longer_than_the_session(self, site: Site) -> None:
        put(site.alice, "shared")
        usual = site.alice.share("shared")
        assert LIFE - 600 < usual.longest_seconds <= LIFE
        with pytest.raises(InvalidInput, match="seconds at most") as refused:
            site.alice.share("shared", LIFE + 1)
        assert refused.value.code == "too-long"
        with pytest.raises(InvalidInput):
            site.alice.share("shared", 0)

    @pytest.mark.parametrize(
        ("bucket", "key", "error"), [("bob", "secret.txt", Forbidden), ("alice", "not-there", NotFound)]
    )
    def test_none_for_what_she_cannot_read(self, site: Site, bucket: str, key: str, error: type[NaasError]) -> None:
        with pytest.raises(error):
            site.buckets.objects(bucket).share(key)

    def test_it_is_signed_for_the_address_that_browsers_reach(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(site.alice, "shared")
        prepare_run_folder(tmp_path, site.url, site.session, public_endpoint="https://s3.example.org")
        monkeypatch.setenv("NAAS_STORAGE_RUN", str(tmp_path))
        link = site.alice.share("shared", 60)
        assert link.url.startswith("https://s3.example.org/alice/shared?")
        assert site.session["SecretAccessKey"] not in link.url


def test_a_store_without_versions_says_so(site: Site) -> None:
    put(site.alice, "plain")
    for act in (lambda: site.alice.versions("plain"), lambda: site.alice.restore("plain", "1")):
        with pytest.raises(InvalidInput) as refused:
            act()
        assert refused.value.code == "not-supported"


def test_the_client_follows_to_another_site(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent writes the site in use beside the credentials."""
    prepare_run_folder(tmp_path, "http://127.0.0.1:9", site.session)
    monkeypatch.setenv("NAAS_STORAGE_RUN", str(tmp_path))
    buckets = Buckets()
    with pytest.raises(Unavailable) as away:
        buckets.list()
    assert away.value.code == "store-down"
    write_access(tmp_path, site.url, site.session)
    assert "alice" in [bucket.name for bucket in buckets.list().items]


class ConnectionBroken(Unavailable):
    """The store in the middle of its work."""

    def __init__(self) -> None:
        super().__init__("The store went away.")
