"""Buckets, listings and names as the Buckets tab and `%storage` use them, on a real store with a session from STS."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from bucket_site import Site, keys, put, read
from naas_client.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from naas_client.models import NewBucket
from naas_storage.buckets import Buckets
from run_folder import prepare_run_folder, write_access

pytestmark = pytest.mark.server


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
