"""The files of a backup, a level or a search at a time, in pages."""

from __future__ import annotations

import pytest
from naas_storage.backup.browse import browse

FILES = {
    ".gitconfig": 1,
    "local-notes.txt": 2,
    "local/Runs/a.csv": 3,
    "local/Runs/deep/b.CSV": 4,
    "local/c.txt": 5,
    "zeta.csv": 6,
}


def everything(prefix: str = "", search: str = "", limit: int = 100) -> list[tuple[str, int]]:
    """All pages."""
    found, cursor = [], ""
    while True:
        page = browse(FILES, prefix, cursor, limit, search)
        assert len(page.items) <= limit
        assert all(item.folder == item.key.endswith("/") for item in page.items)
        found += [(item.key, item.size) for item in page.items]
        if page.next is None:
            return found
        cursor = page.next


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_a_level_has_files_and_folders_with_their_sizes(limit: int) -> None:
    assert everything(limit=limit) == [(".gitconfig", 1), ("local-notes.txt", 2), ("local/", 12), ("zeta.csv", 6)]
    assert everything("local/", limit=limit) == [("local/Runs/", 7), ("local/c.txt", 5)]


@pytest.mark.parametrize("limit", [1, 100])
def test_a_search_goes_through_all_levels_below_and_takes_any_case(limit: int) -> None:
    names = [("local/Runs/a.csv", 3), ("local/Runs/deep/b.CSV", 4), ("zeta.csv", 6)]
    assert everything(search="csv", limit=limit) == names
    assert everything("local/", "CSV", limit) == names[:2]
    assert everything("local/Runs/", "local", limit) == []  # what is above is not looked through


def test_a_page_says_how_many_names_were_looked_at_once() -> None:
    assert browse(FILES, "", "", 1, "csv").scanned == len(FILES)
    assert browse(FILES, "", "local/Runs/a.csv", 1, "csv").scanned == 0


def test_a_folder_that_is_not_there_is_empty() -> None:
    assert everything("other/") == []
