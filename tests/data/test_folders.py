"""Images in a folder: which files are taken for some, and what Pillow makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from occam.search.data.folders import image_files, opened
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image, and much that is none of this folder's."""
    (tmp_path / "inner" / ".cache").mkdir(parents=True)
    for name in ("inner/b.PNG", "a.jpg", ".a.jpg", "inner/.cache/b.png"):
        Image.new("RGB", (12, 8)).save(tmp_path / name)
    for name in ("labels.csv", "Thumbs.db", "png"):
        (tmp_path / name).write_text("no image")
    return tmp_path


def test_images_are_found_by_their_suffix_but_hidden_ones(folder):
    assert image_files(folder) == [folder / "a.jpg", folder / "inner/b.PNG"]


def test_a_link_to_a_folder_above_or_beside_brings_nothing_twice(folder):
    (folder / "inner/above").symlink_to(folder)
    (folder / "zbeside").symlink_to(folder / "inner")
    assert len(image_files(folder)) == 2


def test_an_image_that_pillow_finds_huge_is_read_without_a_word(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12 * 8 - 1)
    with opened(folder / "a.jpg") as image:
        assert image.size == (12, 8)
