"""Files that cannot be searched are refused in one line; generated ones never give a traceback."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from occam.search.cli import main
from occam.search.data import tables as reading
from occam.search.data.baselines import baselines, modest_target
from occam.search.data.preparation import prepare
from occam.search.errors import InputError
from occam.search.loading import load, own
from occam.search.metrics import metric
from occam.search.pipeline import Pipeline
from PIL import Image

GOOD = [
    "age,city,y",
    *(f"{i * 7 % 61},{'ab'[i % 2]}{i % 2},{('no', 'yes')[i % 3 % 2]}" for i in range(60)),
]


def lines(*changes: tuple[int, str]) -> str:
    """The good table with some of its lines replaced; 0 is the header."""
    changed = dict(changes)
    return "\n".join(changed.get(number, line) for number, line in enumerate(GOOD)) + "\n"


def labelled(values: list[str]) -> str:
    return "x,y\n" + "".join(f"{i % 7},{value}\n" for i, value in enumerate(values))


def prepared(**options: str) -> Pipeline:
    pipeline = load(own(**options))
    data, measured = prepare(pipeline).data, metric(pipeline.metric)
    modest_target(baselines(data, measured), measured, data.validation[1], margin=2.0)
    return pipeline


def refused(message: str, **options: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        prepared(**options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


TABLES = {
    "nothing at all": ("", "is empty"),
    "blank lines": ("\n\n  \n", "is empty"),
    "an empty cell": ('""', "is empty"),
    "a quote": ('"', "cannot be read as CSV: unexpected end"),
    "header only": ("age,city,y\n", "has no rows"),
    "too few rows": ("\n".join(GOOD[:10]), "9 labelled rows are too few: at least 40"),
    "a short row": (lines((7, "1,a0")), "line 8: 2 cells, but 3 columns are named"),
    "a long row": (lines((9, "1,a0,no,more")), "line 10: 4 cells, but 3 columns"),
    "a comma in a number": (lines((3, "1,000,a0,no")), "put cells that hold the delimiter"),
    "cut off in the middle": (lines()[:-5], "line 61: 2 cells"),
    "a quote that never ends": (lines((5, '1,"a0,no')), "cannot be read as CSV"),
    "text after a quote": (lines((5, '1,"a"0,no')), "cannot be read as CSV"),
    "two columns of one name": (lines((0, "age,y,y")), "names a column twice: y"),
    "no header": ("\n".join(f"{i},{i % 5},{i % 2}" for i in range(60)), "first line .* numbers"),
    "no label column": (lines((0, "age,city,z")), "has no column 'y' for --label; it has age, c"),
    "label in other letters": (lines((0, "age,city,Y")), "has no column 'y'"),
    "another delimiter than any": (lines().replace(",", "~"), "has no column 'y'"),
    "a constant label": (labelled(["a"] * 60), "has only one value, 'a'"),
    "a unique label": (labelled([f"v{i}" for i in range(60)]), "60 different values in 60 rows"),
    "an empty label": (labelled([""] * 60), "Label column 'y' is empty"),
    "labels that are all missing": (labelled(["NA", "?"] * 30), "Label column 'y' is empty"),
    "one label but for missing ones": (labelled(["a", ""] * 30), "only one value"),
    "one row a class": (labelled([f"c{i}" for i in range(45)]), "45 different values"),
    "a class of one row": (labelled(["a"] * 40 + ["b"] * 19 + ["c"]), "Class 'c' .* has 1 rows"),
    "two classes, one of one row": (labelled(["a"] * 99 + ["b"]), "Class 'b' .* has 1 rows"),
    "two hundred classes": (labelled([f"c{i % 200}" for i in range(900)]), "200 different values"),
    "infinite labels": (labelled([f"{i / 7}" for i in range(59)] + ["inf"]), "infinite numbers"),
    "minus infinity": (labelled([f"{i / 7}" for i in range(59)] + ["-Infinity"]), "infinite num"),
    "numbers too large to square": (lines((4, "1e200,a0,no")), "holds numbers larger than 1e"),
    "infinite inputs": (lines((4, "inf,a0,no")), "'age' holds 'inf' in row 4 .*finite"),
    "the label alone": ("y\n" + "a\nb\n" * 30, "has no column besides|first line|no column 'y'"),
    "constants alone": ("x,y\n" + "1,a\n1,b\n" * 30, "no column besides 'y'"),
    "an identity alone": (
        "id,y\n" + "".join(f"{i},{i % 2}\n" for i in range(60)),
        "no column besides 'y'",
    ),
    "a file of zeros": (b"\0" * 5000, "is no text: save it as CSV"),
    "a zip archive": (b"PK\x03\x04" + b"x" * 100, "is a zip archive: unpack it"),
    "gzip": (b"\x1f\x8b" + b"x" * 100, "is gzip: unpack it first"),
    "xz": (b"\xfd7zXZ\0" + b"x" * 100, "is xz: unpack it first"),
    "half a UTF-16 letter": (b"\xff\xfe" + "x,y\n".encode("utf-16-le") + b"a", "says utf-16"),
    "a wrong UTF-8 mark": (b"\xef\xbb\xbfx,y\n\xff\xfe,1\n", "says utf-8-sig"),
    "random bytes": (bytes(range(1, 255)) * 20, "CSV|column|cells|empty|numbers"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, "is no text"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_searched_is_refused_in_one_line(tmp_path, name):
    content, message = TABLES[name]
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(message, csv=str(path), label="y")


def test_a_table_that_is_too_large_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_text(lines())
    monkeypatch.setattr(reading, "MOST_BYTES", 300)
    refused("table.csv has more than 300 bytes: give a part of it", csv=str(path), label="y")


def test_a_table_of_which_no_value_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    splits = ("train", "val", "test")
    rows = [f"v{i},{i % 2},{split}" for split in splits for i in range(20)]
    path.write_text("\n".join(["x,y,split", *rows]))
    message = "No value of 'x' is in two of the 20 rows to train"
    refused(message, csv=str(path), label="y", split="split")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "nobody"}, "has no column 'nobody' for --group"),
        ({"group": "city"}, "--group has 2 different values: at least 5"),
        ({"time": "city"}, "--time 'city' holds no dates in all rows"),
        ({"time": "age", "group": "city"}, "--group and --time exclude each other"),
        ({"time": "age", "split": "city"}, "--time and --split exclude each other"),
        ({"split": "nobody"}, "has no column 'nobody' for --split"),
        ({"split": "city"}, "--split 'city' must say train, validation or test in each row, rec"),
        ({"metric": "r2"}, "Metric r2 needs numbers as labels, received 'no': for cl"),
        ({"metric": "acc"}, "Unknown metric 'acc'"),
        ({"label": ""}, "has no column '' for --label"),
    ],
)
def test_columns_that_do_not_do_are_refused_in_one_line(tmp_path, options, message):
    path = tmp_path / "table.csv"
    path.write_text(lines())
    refused(message, **{"csv": str(path), "label": "y", **options})


@pytest.mark.parametrize(
    "content",
    [
        lines().encode("utf-8-sig"),
        lines().encode("utf-16"),
        lines().replace("city", "cité").encode("cp1252"),
        lines().replace(",", ";").encode(),
        lines().replace(",", "\t").encode(),
        lines().replace("\n", "\r\n").encode(),
        lines().replace(",a0", ',"a, ""0"""').encode(),
        lines((3, ""), (9, "")).encode(),
        lines((3, ",,no")).encode(),
        lines((3, "2,a0,")).encode(),
        lines((3, "unknown,a0,no")).encode(),
    ],
    ids=(
        "BOM",
        "UTF-16",
        "cp1252",
        "semicolons",
        "tabs",
        "CRLF",
        "quotes",
        "blank lines",
        "missing cells",
        "missing label",
        "one odd number",
    ),
)
def test_what_is_only_unusual_is_read(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert prepared(csv=str(path), label="y").classes == ("no", "yes")


def folder_of_images(folder: Path, *, classes: int = 2, each: int = 25) -> Path:
    rng = np.random.default_rng(0)
    for label in range(classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 256, (9 + number % 3, 12, 3), dtype="uint8")
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")
    return folder


def huge_png(side: int) -> bytes:
    """A file of some hundred bytes that says it is an image of side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.png", b"no picture", "broken.png cannot be read as an image"),
        ("empty.jpg", b"", "empty.jpg cannot be read as an image"),
        ("cut.png", huge_png(40), "cut.png cannot be read as an image"),
        ("bomb.png", huge_png(20_000), "bomb.png cannot be read as an image: Image size"),
        ("large.png", huge_png(9_000), "has 9,000 x 9,000 pixels"),
    ],
)
def test_an_image_that_cannot_be_read_is_refused_by_its_name(tmp_path, name, content, message):
    folder = folder_of_images(tmp_path / "photos")
    (folder / "class0" / name).write_bytes(content)
    refused(message, images=str(folder))


def test_folders_that_hold_no_classes_are_refused(tmp_path):
    refused("is no folder", images=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    refused("holds no images: each class needs a folder", images=str(tmp_path / "empty"))
    loose = folder_of_images(tmp_path / "loose", classes=1) / "class0"
    refused("holds 25 images that are in no folder of a class", images=str(loose))
    refused(
        "lacks images of a second class", images=str(folder_of_images(tmp_path / "one", classes=1))
    )
    refused("18 labelled rows are too few", images=str(folder_of_images(tmp_path / "few", each=9)))


def test_folders_of_splits_that_cannot_be_used_are_refused_in_one_line(tmp_path):
    folder_of_images(tmp_path / "Training")
    folder_of_images(tmp_path / "test1", classes=1)
    refused("test1 lacks images of class1", images=str(tmp_path))
    loose = tmp_path / "test1" / "class0"
    for image in loose.iterdir():
        image.rename(tmp_path / "test1" / image.name)
    refused("test1 holds images that are in no folder of a class: .*Training", images=str(tmp_path))
    (tmp_path / "Training").rename(tmp_path / "val")
    loose.rmdir()
    refused("test1 holds images that are in no folder of a class", images=str(tmp_path))


def test_what_is_hidden_among_images_is_left_out(tmp_path):
    folder = folder_of_images(tmp_path / "photos")
    folder_of_images(folder / ".thumbnails")
    folder_of_images(folder / "class0" / ".ipynb_checkpoints")
    (folder / "class1" / "._0.png").write_bytes(b"what macOS leaves")
    pipeline = prepared(images=str(folder))
    assert pipeline.classes == ("class0", "class1")
    assert pipeline.notes[0] == "50 images of 2 classes: class0, class1."


def test_images_of_any_size_and_colour_are_read(tmp_path):
    folder = folder_of_images(tmp_path / "photos")
    Image.new("L", (5, 40)).save(folder / "class0" / "grey.tif")
    Image.new("RGBA", (300, 20)).save(folder / "class1" / "clear.png")
    Image.new("P", (3, 3)).save(folder / "class1" / "palette.gif")
    (folder / "class0" / "notes.txt").write_text("no image")
    pipeline = prepared(images=str(folder))
    assert pipeline.classes == ("class1", "class0")  # the rarer one last
    assert sum(len(x) for x, _ in (pipeline.data().train, pipeline.data().validation)) == 42
    assert pipeline.notes[1] == "Read as 12 x 12 pixels, in colour."


def test_images_of_more_bits_than_eight_are_refused(tmp_path):
    folder = folder_of_images(tmp_path / "scans")
    Image.fromarray(np.arange(64, dtype="uint16").reshape(8, 8)).save(folder / "class0" / "a.png")
    refused("a.png has more than 8 bits a pixel: save it with 8", images=str(folder))


def saved(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return str(path)


X, Y = np.random.default_rng(0).random((60, 3)), np.arange(60) % 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X, "b": Y}, "holds a, b: name the inputs `x` and the labels `y`, or those of"),
        ({"x": X}, "holds x: name"),
        ({"x": X, "y": Y, "x_test": X}, "holds x, y, x_test: name"),
        ({"x_train": X, "y_train": Y[:50], "x_val": X, "y_val": Y}, r"x_train \(60, 3\), y_train"),
        ({"x_test": X, "y_test": Y}, "holds x_test, y_test: name"),
        ({"x": X, "y": Y[:50]}, r"received x \(60, 3\), y \(50,\)"),
        ({"x": X[0], "y": Y[:3]}, r"received x \(3,\)"),
        ({"x": X, "y": np.eye(2)[Y]}, r"y \(60, 2\); `y.argmax\(axis=1\)` gives"),
        ({"x": X[:10], "y": Y[:10]}, "10 labelled rows are too few"),
        (
            {"x": np.where(X > 0.9, np.nan, X), "y": Y},
            r"x must hold finite numbers, \d+ of 180 are not: fill",
        ),
        ({"x": np.where(X > 0.9, 1e200, X), "y": Y}, "x holds numbers larger than 1e"),
        ({"x": X, "y": np.where(Y, np.inf, 0)}, "y must hold finite numbers, 30 of 60 are not"),
        ({"x": X, "y": np.array(["a", "b"] * 30)}, "y must hold .*, received <U1; `np.unique"),
        ({"x": X, "y": np.zeros(60)}, "y has only one value"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y},
            r"x_train and x_test must have rows of one shape, received \(60, 3\) and \(60, 2\)",
        ),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": np.array(1)}, r"y_test \(\)"),
        ({"x": X, "y": 5 * Y}, "classes in y must be the whole numbers 0, 1, 2"),
        (
            {"x": np.array([{}] * 60, dtype=object), "y": Y},
            "as an .npz file of plain arrays: .*pickle",
        ),
    ],
)
def test_arrays_that_cannot_be_searched_are_refused_in_one_line(tmp_path, arrays, message):
    refused(message, npz=saved(tmp_path / "arrays.npz", **arrays))


def test_archives_that_are_none_or_unpack_to_too_much_are_refused(tmp_path):
    refused("does not exist", npz=str(tmp_path / "nowhere.npz"))
    path = tmp_path / "arrays.npz"
    path.write_text("no archive")
    refused("cannot be read as an .npz file of plain arrays", npz=str(path))
    path.write_bytes(Path(saved(tmp_path / "good.npz", x=X, y=Y)).read_bytes()[:-30])
    refused("cannot be read as an .npz file of plain arrays", npz=str(path))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**31,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue())
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02") + 24  # of the size that the directory says
    content[place : place + 4] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(bytes(content) + b"")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y.npy", b"")
        archive.writestr("z.npy", header.getvalue())
    content = bytearray(path.read_bytes())
    for place in (at for at in range(len(content)) if content.startswith(b"PK\x01\x02", at)):
        content[place + 24 : place + 28] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(bytes(content))
    refused("unpacks to 12,884,901,882 bytes", npz=str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "table.csv"], "--csv needs --label"),
        (["--csv", "nowhere.csv", "--label", "y"], "nowhere.csv does not exist"),
        (["--csv", ".", "--label", "y"], "is no file"),
        (["digits", "--csv", "table.csv"], "digits and --csv exclude each other"),
        (["--csv", "table.csv", "--npz", "a.npz"], "--csv and --npz exclude each other"),
        (["digits", "--label", "y"], "--label is for --csv"),
        (["digits", "--split", "y"], "--split is for --csv"),
        (["--images", ".", "--label", "y"], "--label is for --csv"),
        (["--csv", "table.csv", "--label", "z"], "has no column 'z'"),
        (["--csv", "table.csv", "--label", "y", "--target", "nan"], "Target nan is outside"),
        (
            ["--csv", "table.csv", "--label", "y", "--metric", "x:y"],
            "Metric 'x:y' cannot be imported",
        ),
    ],
)
def test_the_command_line_refuses_in_one_line_with_exit_2(workplace, capsys, arguments, message):
    Path("table.csv").write_text(lines())
    assert main(["search", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not Path("mlruns").exists()


CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", "?", "inf", "1e400", "-0", "00", "true", "No", "2020-01-31", "$1,5"]
    ),
    st.integers(-5, 5).map(str),
    st.floats(allow_nan=True).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Some columns, each of a few values or of many, repeated over enough rows to be split."""
    width, rows = draw(st.integers(1, 4)), draw(st.integers(1, 70))
    names = draw(st.lists(st.text("abyid _", max_size=3), min_size=width, max_size=width))
    columns = [draw(st.lists(CELLS, min_size=1, max_size=12)) for _ in names]
    delimiter = draw(st.sampled_from(",;\t"))
    table = [[*names, "y"], *([c[r % len(c)] for c in [*columns, columns[0]]] for r in range(rows))]
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in table]
    return "\n".join(delimiter.join(row) for row in quoted)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=tables())
def test_no_table_gives_a_traceback(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with contextlib.suppress(InputError):
        prepared(csv=str(path), label="y")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200))
def test_no_bytes_give_a_traceback(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    for option in ({"csv": str(path), "label": "y"}, {"npz": str(path)}):
        with pytest.raises(InputError):
            prepared(**option)
