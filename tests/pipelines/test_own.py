"""A user's own data: what is made of tables, folders of images and arrays, and predicted."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest
from occam.pipelines.own.arrays import standardized
from occam.pipelines.own.columns import Encoder, kind_of
from occam.pipelines.own.labels import read_labels
from occam.pipelines.own.splits import chronological, given, grouped, said, split_called, stratified
from occam.pipelines.own.values import dates, numbers
from occam.search.cli import main
from occam.search.data.folders import image_files
from occam.search.data.labels import check_labels
from occam.search.data.preparation import prepare
from occam.search.data.tables import read_table
from occam.search.errors import InputError
from occam.search.loading import load, own
from occam.search.metrics import meaning, metric
from occam.search.models.evaluation import score
from PIL import Image

RNG = np.random.default_rng(0)


def cells(values: list[object], name: str = "column") -> pd.Series:
    return pd.Series([str(value) for value in values], name=name, dtype=str)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["1", "-2.5", " 3e2 "], [1, -2.5, 300]),
        (["1,234.5", "12", "7,000"], [1234.5, 12, 7000]),
        (["1.234,5", "0,25", "12"], [1234.5, 0.25, 12]),
        (["$5", "€ 6.5", "7%"], [5, 6.5, 7]),
        (["-$1,234.50", "$-5", "(2.5)", "\u22123"], [-1234.5, -5, -2.5, -3]),
        (["12,34,567", "1'234.5", "1,234,567"], [1234567, 1234.5, 1234567]),
        (["1 234,50", "1\u202f234,5", "25000.500"], [1234.5, 1234.5, 25000.5]),
        (["1", "\\N", "#DIV/0!", "<NA>"], [1, np.nan, np.nan, np.nan]),
        (["1", "", "NA", "n/a", "?"], [1, np.nan, np.nan, np.nan, np.nan]),
        (["inf", "-inf"], [np.inf, -np.inf]),
    ],
)
def test_numbers_are_read_as_people_write_them(written, meant):
    np.testing.assert_array_equal(numbers(cells(written)), meant)


def test_a_single_cell_is_read_as_the_table_was():
    table = pd.DataFrame(
        {
            "amount": ["1.234", "0,5", "12,25", "7,1"],
            "day": ["25/03/2020", "03/04/2020", "01/02/2020", "05/06/2020"],
        }
    )
    encoder = Encoder({"amount": "number", "day": "date"}).fit(table)
    together = encoder.transform(table)
    for row in range(len(table)):
        alone = encoder.transform(table.iloc[[row]].reset_index(drop=True))
        np.testing.assert_array_equal(alone[0], together[row])


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2020-03-01", "2020-03-01"),
        ("2020-03-01T12:30:00Z", "2020-03-01"),
        ("25/12/2019", "2019-12-25"),
        ("12/25/2019", "2019-12-25"),
        ("1 March 2020", "2020-03-01"),
        ("March 1, 2020", "2020-03-01"),
        ("2020-03", "2020-03-01"),
        ("Mar 2020", "2020-03-01"),
    ],
)
def test_dates_are_read_as_people_write_them(written, day):
    assert dates(cells([written])).dt.strftime("%Y-%m-%d").tolist() == [day]


def test_what_is_no_date_is_not_taken_for_one():
    assert dates(cells(["12", "3.5", "red", "2020", "1-2", ""])).isna().all()


@pytest.mark.parametrize(
    ("values", "name", "kind"),
    [
        (RNG.normal(size=60), "height", "number"),
        ([*RNG.normal(size=58), "unknown", ""], "height", "number"),
        ([*RNG.normal(size=40), *["TBD", "see below"] * 10], "height", "number"),
        (["1", "2", "3+"] * 20, "children", "category"),
        (["a", "b", "c"] * 20, "colour", "category"),
        (["yes", "no"] * 30, "smokes", "category"),
        (["01", "02", "03"] * 20, "zip", "category"),
        (["yes", ""] * 30, "smokes", "category"),
        ([f"2020-01-{1 + i % 28}" for i in range(60)], "seen", "date"),
        ([f"this is what customer {i} wrote" for i in range(60)], "comment", "text"),
        (range(60), "x", "identity"),
        (RNG.permutation(60) * 7, "customer_id", "identity"),
        ([f"C{i:04}" for i in range(60)], "customer", "identity"),
        (RNG.permutation(60) * 7, "price", "number"),
        ([1] * 60, "x", "constant"),
        ([""] * 60, "x", "constant"),
    ],
)
def test_a_column_is_what_its_cells_say(values, name, kind):
    assert kind_of(cells(list(values), name)) == kind


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": cells([1, 2, "", 4, 5, 6]),
            "colour": cells(["red", "blue", "red", "red", "blue", "green"]),
            "day": cells([f"2020-01-0{i}" for i in range(1, 7)]),
        }
    )


def test_new_rows_may_hold_what_was_never_seen():
    encoder = Encoder({"size": "number", "colour": "category", "day": "date"}).fit(table())
    new = pd.DataFrame({"size": ["", "9"], "colour": ["pink", ""], "day": ["soon", "2020-01-02"]})
    with pytest.warns(UserWarning, match="^Column") as said:
        encoded = encoder.transform(new)
    assert [str(each.message) for each in said] == [
        "Column 'colour': 1 of 2 cells hold what no row had that was learned from, as 'pink'; "
        "they are taken for none of its values.",
        "Column 'day': 1 of 2 cells are no dates, as 'soon'; they are taken for missing.",
    ]
    assert encoded.shape == (2, encoder.transform(table()).shape[1])
    assert np.isfinite(encoded).all()


def test_a_column_of_dates_that_mostly_are_none_is_refused():
    encoder = Encoder({"day": "date"}).fit(table())
    with pytest.raises(InputError, match=r"'day' should hold dates .* 2 of 3 cells are none, as"):
        encoder.transform(pd.DataFrame({"day": ["45123", "soon", "2020-01-02"]}))


def test_a_value_is_known_however_a_spreadsheet_writes_it():
    composed, apart = "Z\u00fcrich", "Zu\u0308rich"
    learned = pd.DataFrame({"member": ["True", "False"] * 3, "city": [composed, "Bern"] * 3})
    written = pd.DataFrame({"member": ["TRUE", "false"] * 3, "city": [apart, "Bern"] * 3})
    encoder = Encoder({"member": "category", "city": "category"}).fit(learned)
    np.testing.assert_array_equal(encoder.transform(written), encoder.transform(learned))


def test_a_few_rare_values_are_nothing_to_be_said():
    encoder = Encoder({"colour": "category"}).fit(table())
    cells = [*table()["colour"]] * 5
    encoder.transform(pd.DataFrame({"colour": [*cells, "pink"]}))


def test_no_missing_cell_is_left_and_all_numbers_are_of_unit_size():
    encoder = Encoder({"size": "number", "day": "date"}).fit(table())
    encoded = encoder.transform(table())
    assert encoded.dtype == "float32"
    np.testing.assert_array_equal(encoded[:, 1], [0, 0, 1, 0, 0, 0])
    assert np.abs(encoded).max() < 2


@pytest.mark.parametrize(
    ("values", "metric", "classes"),
    [
        (["yes", "no"] * 30, None, ("no", "yes")),
        (["1", "0"] * 30, None, ("0", "1")),
        (["10", "9", "8"] * 20, None, ("8", "9", "10")),
        ([f"{i / 7}" for i in range(60)], None, ()),
        ([f"{i}" for i in range(60)], None, ()),
        (["10", "9", "8"] * 20, "mae", ()),
        (["b", "a", ""] * 20, "f1", ("a", "b")),
        (["fraud"] * 9 + ["legit"] * 51, None, ("legit", "fraud")),
        (["yes"] * 51 + ["no"] * 9, None, ("yes", "no")),
        (["None", "mild", "severe"] * 20, None, ("None", "mild", "severe")),
        (["-", "x"] * 20, None, ("-", "x")),
        (["3", "2", "none"] * 20, None, ("2", "3")),
    ],
)
def test_labels_are_classes_or_numbers(values, metric, classes):
    labels = read_labels(cells(values), metric)
    assert labels.classes == classes
    if classes:
        kept = [each for each in values if each in classes]
        assert [classes[code] for code in labels.values] == kept


def test_rows_of_a_rare_class_are_left_out_and_said():
    labels = read_labels(cells(["a", "b"] * 150 + ["c"]), None)
    assert labels.classes == ("a", "b")
    assert len(labels.values) == 300
    assert labels.notes == ("1 rows of too rare classes are left out: c.",)


@pytest.mark.parametrize(
    ("values", "notes"),
    [
        (
            ["a"] * 300 + ["b"] * 300 + ["None", "NA", "NA", ""],
            ("4 rows without a label are left out: 2 'NA', 1 'None', 1 empty.",),
        ),
        (
            ["a"] * 30 + ["b"] * 30 + ["None"] * 40 + ["?"],
            (
                "1 rows without a label are left out: 1 '?'.",
                "Taken for a class, not for a missing label: 40 'None'.",
            ),
        ),
        (["1", "2", "-"] * 20, ("20 rows without a label are left out: 20 '-'.",)),
    ],
)
def test_what_is_taken_for_a_missing_label_is_said(values, notes):
    assert read_labels(cells(values), None).notes == notes


def test_no_group_is_in_two_splits_and_time_goes_on():
    groups = [f"g{i % 9}" for i in range(90)]
    parts = [{groups[row] for row in rows} for rows in grouped(groups)]
    assert sum(map(len, parts)) == 9
    train, validation, test = chronological(cells(np.arange(100)[::-1]))
    assert train.min() > validation.max() > validation.min() > test.max()
    days = cells([f"2021-0{1 + i % 9}-11" for i in range(90)])
    ordered = [sorted(dates(days.iloc[rows])) for rows in chronological(days)]
    assert ordered[0][-1] <= ordered[1][0]
    assert ordered[1][-1] <= ordered[2][0]


def test_every_row_is_in_one_split_and_classes_are_spread():
    labels = np.array([0] * 90 + [1] * 10)
    parts = stratified(labels, classes=True)
    assert sorted(np.concatenate(parts)) == list(range(100))
    assert [labels[rows].sum() for rows in parts] == [5, 3, 2]


@pytest.mark.parametrize("name", ["val", "Validation set", "valid_data", "dev", "testing", "test1"])
def test_rows_stay_in_the_split_that_the_data_say(name):
    labels = np.arange(100) % 2
    splits = [split_called("Train")] * 60 + [split_called(name)] * 40
    train, validation, test = given(splits, labels, classes=True)
    assert list(test) == list(range(60, 100))
    assert sorted([*train, *validation]) == list(range(60))
    assert np.bincount(labels[validation]).tolist() in ([11, 12], [12, 11])


def test_rows_of_three_splits_are_taken_as_they_are():
    splits = ["test", "train", "validation"] * 20
    rows = given(splits, np.arange(60) / 7, classes=False)
    assert [set(part % 3) for part in rows] == [{1}, {2}, {0}]
    assert said(rows) == "Split as given: 20 rows to train, 20 to validate, 20 to test."
    with pytest.raises(InputError, match="others to test are needed; the 60 .* for train alone"):
        given(["train"] * 60, np.arange(60), classes=False)
    with pytest.raises(InputError, match="are for test and validation alone"):
        given(["validation", "test"] * 30, np.arange(60), classes=False)
    with pytest.raises(InputError, match="18 rows to train are too few, beside 12 to validate and"):
        given(["train"] * 30 + ["test"] * 50, np.arange(80), classes=False)


@pytest.mark.parametrize("form", ["csv", "npz", "images"])
def test_own_data_may_say_what_tests(tmp_path, form):
    """Test rows are recognized by what they hold: 2 or more, or light pixels."""
    splits, values = (
        ["train"] * 60 + ["val"] * 30 + ["test"] * 20,
        np.repeat([0, 1, 2], [60, 30, 20]),
    )
    asked = {}
    path = tmp_path / "data"
    if form == "csv":
        table = pd.DataFrame({"x": values + RNG.random(110) / 9, "y": np.arange(110) % 2})
        table.assign(part=splits).sample(frac=1, random_state=0).to_csv(path, index=False)
        asked = {"label": "y", "split": "part"}
    elif form == "npz":
        path = path.with_suffix(".npz")
        rows = {f"x_{each}": values[np.array(splits) == each] for each in set(splits)}
        arrays = {name: np.stack([value, value], axis=1) for name, value in rows.items()}
        arrays |= {f"y_{name[2:]}": np.arange(len(value)) % 2 for name, value in rows.items()}
        np.savez(path, **arrays)
    else:
        for number, (split, value) in enumerate(zip(splits, values, strict=True)):
            folder = path / split / "ab"[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = np.full((8, 8, 3), 100 * value, dtype="uint8")
            Image.fromarray(pixels).save(folder / f"{number}.png")
    pipeline = load(own(**{form: str(path)}, **asked))
    data = pipeline.data()
    for part, value in zip((data.train, data.validation, data.test), (0, 1, 2), strict=True):
        inputs = np.asarray(part[0], dtype=float) / (100 if form == "images" else 1)
        assert set(np.floor(inputs).ravel()) == {value}
    assert "Split as given: 60 rows to train, 30 to validate, 20 to test." in pipeline.notes
    assert prepare(pipeline).data.test[0].shape[0] == 20


def test_a_folder_that_holds_nothing_but_a_train_folder_is_split(tmp_path):
    folders(tmp_path / "photos" / "train", a=30, b=30)
    pipeline = load(own(images=str(tmp_path / "photos")))
    data = pipeline.data()
    assert [len(part[1]) for part in (data.train, data.validation, data.test)] == [30, 18, 12]
    assert not [note for note in pipeline.notes if "Split" in note]


CUSTOMERS = pd.DataFrame(
    {
        "customer_id": np.arange(400),
        "age": RNG.integers(18, 80, 400),
        "city": RNG.choice(["Rome", "Oslo", "Lima"], 400),
        "since": pd.date_range("2020-01-01", periods=400).strftime("%d/%m/%Y"),
        "empty": "",
    }
)
CUSTOMERS["bought"] = np.where(
    CUSTOMERS["age"] + 9 * (CUSTOMERS["city"] == "Rome") > 50, "yes", "no"
)
CUSTOMERS.loc[::9, "age"] = np.nan


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_first_line_that_says_the_delimiter_is_none_of_the_table(tmp_path, end):
    path = tmp_path / "sheet.csv"
    path.write_text(end.join(["sep=;", "a;b", "1,5;x", "2,5;y", "3"]), newline="")
    with pytest.raises(InputError, match="line 5: 1 cells, but 2 columns"):
        read_table(path)
    path.write_text(end.join(["sep=;", "a;b", "1,5;x"]), newline="")
    assert read_table(path).to_dict("list") == {"a": ["1,5"], "b": ["x"]}


def test_two_columns_are_told_apart_by_what_parts_every_line(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text("a;b\n1,5;x\n2,5;y\n")
    assert read_table(path).to_dict("list") == {"a": ["1,5", "2,5"], "b": ["x", "y"]}


def test_a_table_says_what_was_found_in_it(tmp_path):
    CUSTOMERS.to_csv(tmp_path / "my customers.csv", index=False)
    pipeline = load(own(csv=str(tmp_path / "my customers.csv"), label="bought"))
    assert pipeline.name == "my-customers"
    assert pipeline.metric == "accuracy"
    assert pipeline.notes == (
        "Columns: 1 number, 1 category, 1 date; the labels are 2 classes.",
        "Left out, as they count or name the rows: customer_id.",
        "Left out, as they have one value: empty.",
    )


def test_the_most_telling_column_comes_first_and_may_be_the_only_one_read(tmp_path):
    CUSTOMERS.to_csv(tmp_path / "customers.csv", index=False)
    pipeline = load(own(csv=str(tmp_path / "customers.csv"), label="bought"))
    data = pipeline.preprocessing(pipeline.data())
    inputs, labels = data.train
    told = [abs(np.corrcoef(column, labels)[0, 1]) for column in inputs.T]
    assert int(np.nanargmax(told)) == 0
    hp = keras_tuner.HyperParameters()
    hp.values = {"layers": 0, "first": 1}
    assert pipeline.space(hp).count_params() == 2


def test_an_imbalanced_table_is_measured_by_class_and_may_weigh_them(tmp_path):
    rows = CUSTOMERS.assign(bought=np.where(CUSTOMERS["age"] > 72, "yes", "no"))
    rows.to_csv(tmp_path / "customers.csv", index=False)
    pipeline = load(own(csv=str(tmp_path / "customers.csv"), label="bought"))
    assert pipeline.metric == "balanced_accuracy"
    assert pipeline.notes[-1].startswith("One class has 80% of the rows or more, so balanced")
    hp = keras_tuner.HyperParameters()
    assert type(pipeline.space(hp).loss).__name__ == "WeightedLoss"
    assert hp.get("class_weights") is True


def test_columns_that_are_left_out_are_not_asked_for_later(tmp_path):
    CUSTOMERS.to_csv(tmp_path / "customers.csv", index=False)
    pipeline = load(own(csv=str(tmp_path / "customers.csv"), label="bought"))
    assert set(pipeline.data().train[0]) == {"age", "city", "since"}


def test_the_row_of_an_infinite_number_is_that_of_the_file(tmp_path):
    rows = CUSTOMERS.assign(size=1.5 + np.arange(400) % 7).astype({"size": object})
    rows.loc[3, "bought"] = ""  # left out, and yet counted
    rows.loc[250, "size"] = "-inf"
    rows.to_csv(tmp_path / "customers.csv", index=False)
    name = own(csv=str(tmp_path / "customers.csv"), label="bought")
    with pytest.raises(InputError, match="Column 'size' holds '-inf' in row 251 "):
        prepare(load(name))


def test_f1_is_of_the_rarer_class_and_says_so(tmp_path):
    rows = CUSTOMERS.assign(bought=np.where(CUSTOMERS["age"] > 72, "fraud", "legit"))
    rows.to_csv(tmp_path / "payments.csv", index=False)
    pipeline = load(own(csv=str(tmp_path / "payments.csv"), label="bought", metric="f1"))
    assert pipeline.classes == ("legit", "fraud")
    labels = prepare(pipeline).data.train[1]
    said = meaning(metric("f1"), labels, pipeline.classes)
    assert said == "f1 is of class 'fraud', the rarer one."


def folders(folder: Path, **counts: int) -> str:
    """Folders of so many images each."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (5 * number, 0, 0)).save(folder / name / f"{number}.png")
    return str(folder)


def saved(folder: Path, *shape: int | None) -> str:
    """The file of a model that takes images of this shape."""
    inputs = keras.Input(shape)
    hidden = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(folder / "model.keras")
    return str(folder / "model.keras")


@pytest.mark.parametrize(
    ("asked", "takes", "expected"),
    [
        ({"size": "20"}, None, (20, 20, 3)),
        ({}, (30, 40, 3), (30, 40, 3)),
        ({}, (12, 12, 1), (12, 12, 1)),
        ({"size": "30"}, (30, 30, 3), (30, 30, 3)),
        ({}, (None, None, 3), (8, 8, 3)),
        ({"size": "16"}, (None, None, 3), (16, 16, 3)),
    ],
)
def test_images_are_read_as_large_as_is_asked_or_as_the_model_takes_them(
    tmp_path, asked, takes, expected
):
    model = {"model": saved(tmp_path, *takes)} if takes else {}
    pipeline = load(own(images=folders(tmp_path / "photos", a=20, b=20), **asked, **model))
    assert pipeline.data().train[0].shape[1:] == expected
    assert any(f"Read as {expected[1]} x {expected[0]} pixels" in note for note in pipeline.notes)


def test_a_size_that_cannot_be_is_refused(tmp_path):
    photos, model = folders(tmp_path / "photos", a=20, b=20), saved(tmp_path, 30, 40, 3)
    with pytest.raises(InputError, match="--size 30 is not what the model takes, 40 x 30: leave"):
        load(own(images=photos, size="30", model=model))
    with pytest.raises(InputError, match="--size must be at least 8 pixels, received 3"):
        load(own(images=photos, size="3"))
    for name in ("csv", "npz"):
        with pytest.raises(InputError, match="--size is for --images"):
            load(own(**{name: "there.file"}, size="30"))


def test_the_rarer_class_of_images_is_class_1(tmp_path):
    pipeline = load(own(images=folders(tmp_path / "scans", ill=15, well=45), metric="f1"))
    assert pipeline.classes == ("well", "ill")
    splits = (pipeline.data().train, pipeline.data().validation, pipeline.data().test)
    assert [int(labels.sum()) for _, labels in splits] == [8, 4, 3]


@pytest.mark.parametrize("kind", ["rows", "sequences", "images", "folder"])
def test_two_classes_are_ranked_by_one_output(tmp_path, kind):
    shape = {"rows": (4,), "sequences": (5, 2), "images": (16, 16), "folder": ()}[kind]
    np.savez(tmp_path / "arrays.npz", x=RNG.random((60, *shape)), y=np.arange(60) % 2)
    given = {"npz": str(tmp_path / "arrays.npz")}
    if kind == "folder":
        given = {"images": folders(tmp_path / "photos", a=30, b=30)}
    pipeline = load(own(**given, metric="auc"))
    data = prepare(pipeline).data
    model = pipeline.space(keras_tuner.HyperParameters())
    check_labels(data.train[1], model.loss, model.output_shape, metric("auc"))
    assert 0 <= score(model, data.validation, metric("auc")) <= 1


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [
        (RNG.random((60, 4)), np.arange(60) % 3, (4,)),
        (RNG.random((60, 5, 2)), RNG.random(60), (5, 2)),
        (RNG.integers(0, 255, (60, 16, 16)), np.arange(60) % 2, (16, 16, 1)),
        (RNG.integers(0, 255, (60, 32, 32, 3)), np.arange(60) % 2, (32, 32, 3)),
        (RNG.random((60, 16, 16, 1)), RNG.random(60), (16, 16, 1)),
    ],
    ids=["rows", "sequences", "grey images", "images", "images to numbers"],
)
def test_arrays_are_what_their_axes_say(tmp_path, x, y, shape):
    np.savez(tmp_path / "arrays.npz", x=x, y=y)
    pipeline = load(own(npz=str(tmp_path / "arrays.npz")))
    data = pipeline.preprocessing(pipeline.data())
    assert data.train[0].shape[1:] == shape
    model = pipeline.space(keras_tuner.HyperParameters())
    predicted = model.predict_on_batch(data.train[0][:4])
    assert predicted.shape == (4, len(np.unique(y)) if pipeline.metric == "accuracy" else 1)


@pytest.mark.parametrize(
    ("mode", "size", "shape"),
    [
        ("L", (28, 28), (28, 28, 1)),
        ("1", (20, 40), (40, 40, 1)),
        ("RGB", (28, 28), (28, 28, 3)),
        ("RGB", (640, 480), (64, 64, 3)),
        ("LA", (3, 3), (8, 8, 1)),
    ],
)
def test_small_and_grey_images_are_read_as_they_are(tmp_path, mode, size, shape):
    for number in range(60):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, 255 if mode == "1" else None).save(folder / f"{number}.png")
    pipeline = load(own(images=str(tmp_path / "photos")))
    data = pipeline.data()
    assert data.train[0].shape[1:] == shape
    assert mode != "1" or (data.train[0] == 255).all()
    colour = "grey" if shape[2] == 1 else "in colour"
    assert f"Read as {shape[1]} x {shape[0]} pixels, {colour}." in pipeline.notes
    model = pipeline.space(keras_tuner.HyperParameters())
    assert model(pipeline.preprocessing(data).train[0][:2]).shape == (2, 2)


@pytest.mark.slow
def test_a_table_is_searched_promoted_and_predicted_from_as_it_is(workplace, capsys):
    CUSTOMERS.to_csv("customers.csv", index=False, sep=";", encoding="utf-16")
    search = ["search", "--csv", "customers.csv", "--label", "bought", "--target", "0.7"]
    assert main([*search, "--trials", "3", "--json", "found.json"]) == 0
    printed = capsys.readouterr().out
    assert "Left out, as they count or name the rows: customer_id." in printed
    assert "Baselines, accuracy on validation data: majority class" in printed
    assert json.loads(Path("found.json").read_text())["pipeline"] == "customers"
    assert main(["promote", "customers"]) == 0
    CUSTOMERS.drop(columns="bought").head(30).to_csv("new.csv", index=False)
    assert main(["predict", "customers", "new.csv"]) == 0
    predicted = pd.read_csv("new.predictions.csv")["prediction"]
    assert (predicted == CUSTOMERS["bought"].head(30)).mean() > 0.6
    rows = ["age,city,since", "old,Rome,01/02/2020", "70,Oslo,", "30,Lima,03/02/2020"]
    Path("odd.csv").write_text("\n".join(rows))
    capsys.readouterr()
    assert main(["predict", "customers", "odd.csv"]) == 0
    said = "occam: Column 'age': 1 of 3 cells are no numbers, as 'old'; they are taken for missing."
    assert capsys.readouterr().err.strip() == said


@pytest.mark.slow
def test_images_are_searched_without_a_target_and_predicted_from_a_folder(workplace, capsys):
    for name, light in (("dark", 60), ("light", 200)):
        Path("photos", name).mkdir(parents=True)
        for number in range(40):
            pixels = RNG.normal(light, 30, (20 + number % 5, 24)).clip(0, 255)
            Image.fromarray(pixels.astype("uint8")).save(Path("photos", name, f"{number}.png"))
    assert main(["search", "--images", "photos", "--trials", "2"]) in (0, 3)
    printed = capsys.readouterr().out
    assert "80 images of 2 classes: dark, light." in printed
    assert "Read as 24 x 24 pixels, grey." in printed
    assert "No --target is given: accuracy 0." in printed
    assert main(["search", "--images", "photos", "--target", "0.6", "--trials", "4"]) == 0
    assert main(["promote", "photos"]) == 0
    assert main(["predict", "photos", "photos/dark"]) == 0
    predicted = pd.read_csv("dark.predictions.csv")
    assert list(predicted["file"][:2]) == ["0.png", "1.png"]
    assert (predicted["prediction"] == "dark").mean() > 0.6


@pytest.mark.slow
def test_the_file_that_init_writes_is_a_task_that_can_be_searched(workplace, capsys):
    assert main(["init", "my_task.py"]) == 0
    assert main(["init", "my_task.py"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["init", "my_task.txt"]) == 2
    assert main(["search", "my_task.py", "--trials", "2", "--target", "0.6"]) == 0
    assert main(["promote", "my_task.py"]) == 0
    assert main(["results", "./my_task.py"]) == 0


def test_a_date_that_begins_with_its_year_means_what_it_says_beside_others():
    written = ["2020-01-02", "2020/01/03", "21/01/2020", "2020-01-04T10:00Z", "5.1.2020"]
    days = dates(cells(written)).dt.strftime("%m-%d").tolist()
    assert days == ["01-02", "01-03", "01-21", "01-04", "01-05"]
    assert dates(cells(["1.10.2020", "10.1.2020"])).dt.month.tolist() == [10, 1]


def test_rows_read_by_pandas_are_encoded_as_those_read_here(tmp_path):
    path = tmp_path / "regions.csv"
    rows = [f"{region},{RNG.normal():.3f},{region == 'NA'}" for region in ("NA", "EU", "US") * 40]
    path.write_text("region,x,label\n" + "\n".join(rows))
    pipeline = load(own(csv=str(path), label="label"))
    prepared = prepare(pipeline)
    ours = prepared.data.transform(prepared.raw.train[0])
    theirs = pd.read_csv(path)[["region", "x"]].loc[prepared.raw.train[0].index]
    np.testing.assert_array_equal(prepared.data.transform(theirs), ours)
    theirs["region"] = theirs["region"] + " "
    np.testing.assert_array_equal(prepared.data.transform(theirs), ours)


def test_cells_that_are_no_numbers_where_numbers_were_learned_are_refused():
    learned = pd.DataFrame({"x": [*map(str, RNG.normal(size=60)), "TBD"]})
    encoder = Encoder({"x": "number"}).fit(learned)
    assert np.isfinite(encoder.transform(learned.tail(1))).all()
    with pytest.raises(InputError, match="Column 'x' should hold numbers .* 2 of 2 .* as '1,5'"):
        encoder.transform(pd.DataFrame({"x": ["1,5", "2,5"]}))


def test_numbers_that_are_close_beside_their_size_are_told_apart():
    moments = pd.DataFrame({"ns": [str(1_700_000_000_000_000_000 + 10**7 * i) for i in range(99)]})
    encoded = Encoder({"ns": "number"}).fit(moments).transform(moments)
    assert encoded.std() == pytest.approx(1, rel=0.01)


def test_texts_that_stand_for_missing_numbers_are_said(tmp_path):
    path = tmp_path / "some.csv"
    rows = [f"{'TBD' if row % 9 == 0 else RNG.normal()},{row % 2}" for row in range(200)]
    path.write_text("x,label\n" + "\n".join(rows))
    notes = load(own(csv=str(path), label="label")).notes
    assert "Numbers are missing in 'x' where it holds 'TBD'." in notes


def test_a_class_that_is_written_in_two_ways_is_one():
    values = ["0", "0.0", "1", "1.0"] * 20
    assert read_labels(cells(values), None).classes == ("0", "1")
    assert read_labels(cells(["0.0", "1.0"] * 20), None).classes == ("0.0", "1.0")


def test_a_class_of_too_few_images_is_refused(tmp_path):
    for label, count in (("cat", 30), ("dog", 30), ("eel", 1)):
        (tmp_path / label).mkdir()
        for number in range(count):
            Image.new("RGB", (8, 8)).save(tmp_path / label / f"{number}.png")
    with pytest.raises(InputError, match="Class eel has 1 rows: at least 3 are needed"):
        load(own(images=str(tmp_path)))


def test_a_column_of_one_number_is_not_blown_up_by_rounding():
    same = pd.DataFrame({"x": ["0.1"] * 300, "y": list(map(str, range(300)))})
    encoder = Encoder({"x": "number", "y": "number"}).fit(same)
    other = pd.DataFrame({"x": ["0.3"], "y": ["1"]})
    assert np.abs(encoder.transform(other)).max() < 10


def test_a_text_without_words_says_nothing():
    table = pd.DataFrame({"remark": ["", "!!", ""], "x": ["1", "2", "3"]})
    encoder = Encoder({"remark": "text", "x": "number"}).fit(table)
    assert encoder.transform(table).shape == (3, 1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("paid", "number"), ("humid", "number"), ("userId", "identity"), ("user_id", "identity")],
)
def test_a_word_that_ends_in_id_is_no_identity(name, kind):
    assert kind_of(cells(list(RNG.permutation(90) * 7), name)) == kind


def test_folders_of_splits_beside_others_are_no_classes(tmp_path):
    for split in ("train", "test", "unlabelled"):
        for label in ("cat", "dog"):
            place = tmp_path / split / label
            place.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(place / "1.png")
    with pytest.raises(InputError, match="folders of splits and 'unlabelled' beside them"):
        load(own(images=str(tmp_path)))


def test_a_folder_that_is_a_link_is_read_and_one_to_itself_is_not(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "elsewhere" / "1.png")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat").symlink_to(tmp_path / "elsewhere")
    (photos / "loop").symlink_to(photos)
    assert image_files(photos) == [photos / "cat" / "1.png"]
    (tmp_path / "elsewhere" / "up").symlink_to(photos)  # whose other classes are not cats
    (photos / "dog").mkdir()
    Image.new("RGB", (8, 8)).save(photos / "dog" / "1.png")
    assert image_files(photos / "cat") == [photos / "cat" / "1.png"]


@pytest.mark.parametrize("inner", ["sub", ""])
def test_a_class_may_be_called_train(tmp_path, inner):
    for place in (tmp_path / "train" / inner, tmp_path / "train", tmp_path / "plane" / inner):
        place.mkdir(parents=True, exist_ok=True)
        for number in range(30):
            Image.new("RGB", (8, 8)).save(place / f"{number}.png")
    assert load(own(images=str(tmp_path))).notes[0].split(" images ")[1].startswith("of 2 classes")


def test_rows_of_a_group_are_known_to_the_gate(tmp_path):
    path = tmp_path / "groups.csv"
    rows = [f"{RNG.normal():.3f},{row // 10},{row % 2}" for row in range(300)]
    path.write_text("x,who,label\n" + "\n".join(rows))
    pipeline = load(own(csv=str(path), label="label", group="who"))
    test = pipeline.data().test[0]
    assert [int(each) for each in pipeline.groups] == [int(each) // 10 for each in test.index]


def test_what_occurs_often_is_read_as_what_occurs_once():
    written = ["1.234,5", "7", "", "none", "12,5", "(3)", "2 000"]
    once = cells(written)
    for comma in (None, True, False):
        expected = numbers(once, decimal_comma=comma)
        many = numbers(cells(written * 50), decimal_comma=comma)
        np.testing.assert_array_equal(many, np.tile(expected, 50))
    days = cells(["2020-01-02", "13.1.2020", "", "soon"] * 50)
    days.index = days.index[::-1]
    found = dates(days)
    assert list(found.index) == list(days.index)
    assert list(found.notna()) == [True, True, False, False] * 50
    assert found.iloc[5] == pd.Timestamp("2020-01-13", tz="UTC")


def test_the_decimal_comma_is_that_of_most_cells_not_of_most_texts():
    written = ["1,5"] * 60 + [f"1.{number:03}" for number in range(40)]
    assert numbers(cells(written))[0] == 1.5


def test_a_table_is_read_in_parts_whatever_ends_its_lines(tmp_path):
    rows = [
        f'{number},"a{end}b"' for number in range(20_010) for end in ["\n" if number % 2 else ""]
    ]
    for end in ("\n", "\r\n", "\r"):
        path = tmp_path / "long.csv"
        path.write_bytes(end.join(["x,y", *rows, ""]).encode())
        table = read_table(path)
        assert len(table) == 20_010
        assert list(table["x"]) == [str(number) for number in range(20_010)]
        assert {*table["y"]} == {"ab", "a\nb"}


def test_arrays_are_standardized_in_parts():
    rows = np.random.default_rng(0).integers(0, 256, (9000, 4, 3)).astype("uint8")
    mean, scale = rows.mean(axis=(0, 1)), rows.std(axis=(0, 1))
    found = standardized(rows, shape=(4, 3), mean=mean, scale=scale)
    np.testing.assert_array_equal(found, ((rows - mean) / scale).astype("float32"))
    assert standardized(rows, shape=(12,), mean=0.0, scale=255.0).shape == (9000, 12)


def test_many_classes_are_taken_where_each_has_many_rows():
    names = [f"class {number}" for number in range(300)]
    assert len(read_labels(cells(names * 20), None).classes) == 300
    with pytest.raises(InputError, match="300 different values in 5,700 rows, and not all are num"):
        read_labels(cells(names * 19), None)
