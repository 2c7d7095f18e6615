"""The MNIST pipelines: the file they read, and what they say of one that is damaged."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from occam.pipelines import mnist_cnn, mnist_cnn_99, mnist_dense
from occam.search.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (120, 28, 28)).astype("uint8")
LABELS = (np.arange(120) % 10).astype("uint8")
GOOD = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:20], "y_test": LABELS[:20]}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `mnist.npz` belongs; Keras must not be asked for it."""
    monkeypatch.setenv("OCCAM_DATA", str(tmp_path))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: pytest.fail("downloads"))
    return tmp_path / "mnist.npz"


@pytest.mark.parametrize("pipeline", [mnist_dense.pipeline, mnist_cnn.pipeline])
def test_a_sixth_of_the_official_train_split_validates(file, pipeline):
    np.savez(file, **GOOD)
    data = pipeline.data()
    assert [len(labels) for _, labels in (data.train, data.validation, data.test)] == [100, 20, 20]
    assert np.bincount(data.validation[1]).tolist() == [2] * 10
    np.testing.assert_array_equal(data.test[0], IMAGES[:20])


def test_images_that_train_at_99_percent_are_also_moved_by_a_pixel(file):
    np.savez(file, **GOOD)
    plain, moved = mnist_dense.data(), mnist_cnn_99.pipeline.data()
    images, labels = (part.reshape(5, 100, *part.shape[1:]) for part in moved.train)
    assert (labels == plain.train[1]).all()
    np.testing.assert_array_equal(images[0], plain.train[0])
    np.testing.assert_array_equal(images[1][:, 1:], images[0][:, :-1])
    np.testing.assert_array_equal(images[2][:, :-1], images[0][:, 1:])
    np.testing.assert_array_equal(images[3][:, :, 1:], images[0][:, :, :-1])
    np.testing.assert_array_equal(images[4][:, :, :-1], images[0][:, :, 1:])
    for one, other in ((moved.validation, plain.validation), (moved.test, plain.test)):
        np.testing.assert_array_equal(one[0], other[0])


def damaged(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    return {name: each for name, each in (GOOD | changes).items() if each is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (damaged(y_test=None), "y_test"),
        (damaged(x_train=np.array([None] * 120)), "allow_pickle=False"),
        (damaged(x_train=np.zeros((120, 32, 32, 3))), r"its images have shape \(32, 32, 3\)"),
        (damaged(x_test=np.zeros((20, 784))), r"its images have shape \(784,\)"),
    ],
)
def test_another_npz_is_refused_in_one_line(file, content, message):
    np.savez(file, **content)
    refused(message)


@pytest.mark.parametrize("kept", [0, 10, 1000, 50_000])
def test_a_truncated_file_is_refused_in_one_line(file, kept):
    np.savez_compressed(file, **GOOD)
    file.write_bytes(file.read_bytes()[:kept])
    refused("cannot be read as an .npz file of plain arrays")


def test_a_file_with_damaged_bytes_is_refused_in_one_line(file):
    np.savez_compressed(file, **GOOD)
    content = bytearray(file.read_bytes())
    content[2000:2100] = bytes(100)
    file.write_bytes(content)
    refused("cannot be read as an .npz file of plain arrays")


def test_what_is_no_npz_is_refused_in_one_line(file):
    file.write_text("<html>not found</html>")
    refused("cannot be read as an .npz file of plain arrays")
    np.save(file.with_suffix(".npy"), IMAGES)
    file.with_suffix(".npy").replace(file)
    refused("cannot be read as an .npz file of plain arrays")
    file.unlink()
    file.mkdir()
    refused("is no file")


def test_without_a_network_the_missing_file_is_told_in_one_line(tmp_path, monkeypatch):
    def offline():
        raise Exception("URL fetch failure")  # what Keras raises

    monkeypatch.delenv("OCCAM_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", offline)
    refused("Missing data file mnist.npz.* Downloading it failed: URL fetch failure")


def test_keras_is_asked_only_where_no_folder_is_given(tmp_path, monkeypatch):
    downloaded = (IMAGES, LABELS), (IMAGES[:20], LABELS[:20])
    monkeypatch.delenv("OCCAM_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: downloaded)
    assert len(mnist_dense.data().test[1]) == 20


@pytest.mark.parametrize("shape", [(28, 28), (784,), (28, 28, 1)])
def test_raw_rows_may_be_images_or_rows_of_pixels(shape):
    scaled = mnist_dense.scale(IMAGES.reshape(-1, *shape))
    assert scaled.shape == (120, 28, 28, 1)
    assert scaled.dtype == "float32"
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"28 x 28 pixels, received shape \(2, 32, 32\)"):
        mnist_dense.scale(np.zeros((2, 32, 32)))


def refused(message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        mnist_dense.data()
    assert "\n" not in str(caught.value)
