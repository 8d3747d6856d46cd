"""Uploads, downloads and links of a bucket."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import httpx
import pytest
from bucket_site import LIFE, Site, put, read, uploads_left
from naas_client.errors import Forbidden, InvalidInput, NaasError, NotFound, Unavailable
from naas_storage.buckets import transfer
from naas_storage.buckets.errors import AlreadyThere
from run_folder import prepare_run_folder

pytestmark = pytest.mark.server


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
        with pytest.raises(InvalidInput, match="minutes at most") as refused:
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
