"""Rename and delete in buckets: what breaks in the middle loses nothing and says what is left."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from bucket_site import Site, keys, put, read, uploads_left
from naas_client.errors import Conflict, InvalidInput, NotFound, Unavailable
from naas_storage.buckets import changes
from naas_storage.buckets.changes import Incomplete

pytestmark = pytest.mark.server


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


class ConnectionBroken(Unavailable):
    """The store in the middle of its work."""

    def __init__(self) -> None:
        super().__init__("The store went away.")
