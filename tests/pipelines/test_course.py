"""The course's pipelines: what their files may look like, what they generate, what they refuse."""

from __future__ import annotations

import gzip
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from occam.pipelines import (
    autoencoder_3d,
    cifar10,
    fashion_mnist,
    flowers,
    housing,
    imdb,
    imdb_text,
    mnist_gan,
    number_sequence,
    stocks,
    translation_toy,
)
from occam.search.errors import InputError
from PIL import Image
from sklearn.decomposition import PCA

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCCAM_DATA", str(tmp_path))
    imdb_text.words.cache_clear()
    return tmp_path


def refused(pipeline, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        pipeline.data()
    assert "\n" not in str(caught.value)


def mirrored(train: tuple[np.ndarray, np.ndarray]) -> None:
    """Half of what trains is the other half, seen in a mirror."""
    (images, others), (labels, same) = (np.split(part, 2) for part in train)
    np.testing.assert_array_equal(images, others[:, :, ::-1])
    np.testing.assert_array_equal(labels, same)


def write_clothing(folder: Path, images: bytes, labels: bytes) -> None:
    (folder / "fashion-mnist").mkdir(exist_ok=True)
    for part in ("train", "t10k"):
        for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / "fashion-mnist" / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(content)


def test_clothing_is_read_from_the_published_files(folder):
    images = RNG.integers(0, 256, (60, 784), dtype="uint8")
    labels = (np.arange(60) % 10).astype("uint8")
    whole = gzip.compress(b"x" * 16 + images.tobytes()), gzip.compress(b"x" * 8 + labels.tobytes())
    write_clothing(folder, *whole)
    data = fashion_mnist.data()
    assert [len(labels) for _, labels in (data.train, data.validation, data.test)] == [50, 10, 60]
    np.testing.assert_array_equal(data.test[0].reshape(60, 784), images)
    for damaged, message in (
        ((whole[0][:-20], whole[1]), "is damaged"),
        ((b"no gzip", whole[1]), "is damaged: "),
        ((whole[1], whole[1]), "images and labels do not match"),
    ):
        write_clothing(folder, *damaged)
        refused(fashion_mnist, message)


def test_photos_are_read_from_the_whole_set_where_it_is_there_else_from_the_subset(folder):
    refused(cifar10, "Missing data file cifar10-subset.npz")
    images, labels = RNG.integers(0, 256, (50, 32, 32, 3), dtype="uint8"), np.arange(50) % 10
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(folder / "cifar10-subset.npz", **dict(zip(names, [images, labels] * 2, strict=True)))
    assert len(cifar10.data().train[1]) == 80
    mirrored(cifar10.data().train)
    column = dict(zip(names, [images, labels[:, None]] * 2, strict=True))
    twice = {name: np.concatenate([x, x]) for name, x in column.items()}
    np.savez(folder / "cifar10.npz", **twice)
    assert cifar10.data().train[1].shape == (160,)
    (folder / "cifar10.npz").write_bytes(b"PK no archive")
    refused(cifar10, "cifar10.npz cannot be read as an .npz file of plain arrays")
    np.savez(folder / "cifar10.npz", x=images)
    refused(cifar10, "cifar10.npz lacks x_train")


def reviews(folder: Path, x: object, y: np.ndarray) -> None:
    (folder / "imdb").mkdir(exist_ok=True)
    np.savez(folder / "imdb" / "imdb.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4])


class Harmful:
    def __reduce__(self):
        return os.getcwd, ()


def test_reviews_are_their_last_words_and_none_occurs_twice(folder):
    words = np.empty(40, dtype=object)
    words[:] = [[1 + number, 5, 7] for number in range(39)] + [list(range(1, 501))]
    reviews(folder, words, np.arange(40) % 2)
    data = imdb.data()
    rows = np.concatenate([data.train[0], data.validation[0]])
    assert rows.shape == (40, 400)
    assert rows.max(axis=1).max() == 500
    assert rows[rows[:, 0] > 0][0, 0] == 101
    assert len(data.test[0]) == 0  # all four were in the train half too


def test_reviews_that_hold_code_are_not_unpickled(folder):
    (folder / "imdb").mkdir()
    with zipfile.ZipFile(folder / "imdb" / "imdb.npz", "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            header = (
                b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
            )
            archive.writestr(f"{name}.npy", header.ljust(127) + b"\n" + pickle.dumps(Harmful()))
    refused(imdb, "is damaged or not Keras's imdb.npz: Refusing to deserialize `posix.getcwd`")


def test_the_vocabulary_is_of_the_train_reviews_alone_and_marks_are_left_out(folder):
    (folder / "imdb").mkdir()
    rows = [("train", f"good good film{i % 3} it's<br />fine {i}", i % 2) for i in range(40)]
    rows += [("test", f"unheard word {i}", i % 2) for i in range(6)] + [
        ("test", "unheard word 1", 1)
    ]
    table = pd.DataFrame(rows, columns=["split", "review", "sentiment"])
    table["sentiment"] = table["sentiment"].map({0: "negative", 1: "positive"})
    table.to_csv(folder / "imdb" / "imdb_reviews.csv.xz", index=False)
    data = imdb_text.data()
    assert [len(labels) for _, labels in (data.train, data.validation, data.test)] == [32, 8, 6]
    words = imdb_text.words()
    assert words[0] == "good"
    assert {"its", "fine"} < set(words)
    assert not {"unheard", "br"} & set(words)
    table.drop(columns="split").to_csv(folder / "imdb" / "imdb_reviews.csv.xz", index=False)
    refused(imdb_text, "is damaged or no table: Usecols")
    (folder / "imdb" / "imdb_reviews.csv.xz").write_bytes(b"no xz")
    refused(imdb_text, "is damaged or no table")


def prices(folder: Path, **columns: object) -> None:
    days = pd.date_range("2020-01-01", periods=400).astype(str)
    walk = 100 * np.exp(np.cumsum(RNG.normal(0, 0.01, 400)))
    (folder / "stocks").mkdir(exist_ok=True)
    table = pd.DataFrame({"Date": days, "Close": walk} | columns)
    table.to_csv(folder / "stocks" / "AAPL.csv", index=False)


def test_no_price_is_in_two_splits_and_labels_are_the_next_days_changes(folder):
    prices(folder)
    data = stocks.data()
    parts = [set(x.round(9).ravel()) for x, _ in (data.train, data.validation, data.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    inputs, labels = data.train
    np.testing.assert_allclose(inputs[1:, -1], inputs[:-1, -1] * (1 + labels[:-1] / 100), rtol=1e-5)


@pytest.mark.parametrize(
    "columns", [{"Close": "high"}, {"Close": -1.0}, {"Close": np.nan}, {"Date": "a day"}]
)
def test_prices_that_are_none_are_refused(folder, columns):
    prices(folder, **columns)
    refused(stocks, "AAPL.csv is damaged")


def test_a_folder_without_a_flower_is_refused(folder):
    for name in flowers.CLASSES[1:]:
        (folder / "flower_photos" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(folder / "flower_photos" / name / "a.png")
    refused(flowers, "lacks images of daisy")


def test_sequences_go_on_by_one_and_labels_are_twice_what_follows():
    inputs, labels = number_sequence.data().train
    np.testing.assert_allclose(np.diff(inputs[..., 0], axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(labels, 2 * (inputs[:, -1, 0] + 1), rtol=1e-5)


def test_a_translation_has_the_words_of_its_sentence_in_another_order():
    sentences, translations = translation_toy.generate(200)
    assert len(np.unique(sentences, axis=0)) == 200
    np.testing.assert_array_equal(np.sort(sentences), np.sort(translations))
    assert (sentences != translations).any(axis=1).all()
    verbs = sentences > 1 + 3 + 7 + 8 - 1
    assert (verbs.sum(axis=1) == 1).all()


def test_principal_components_leave_what_the_docstring_says():
    data = autoencoder_3d.data()
    components = PCA(2).fit(data.train[0])
    points = data.test[0]
    left = np.mean((components.inverse_transform(components.transform(points)) - points) ** 2)
    assert left == pytest.approx(0.0035, abs=5e-5)


def test_a_house_without_a_column_is_refused():
    houses, _ = housing.generate(5)
    with pytest.raises(InputError, match="lacks the columns tax"):
        housing.needed(houses.drop(columns="tax"))


def test_the_judge_knows_real_digits_from_noise_and_from_a_single_digit():
    if "OCCAM_DATA" not in os.environ:
        pytest.skip("OCCAM_DATA is not set: it names the folder that holds mnist.npz")
    try:
        images = mnist_gan.data().test[1]
    except InputError as error:
        pytest.skip(str(error))
    assert mnist_gan.recognized(images, images) > 0.85
    assert mnist_gan.recognized(images, RNG.random(images.shape)) == 0
    assert mnist_gan.recognized(images, np.repeat(images[:1], 500, axis=0)) == 0
