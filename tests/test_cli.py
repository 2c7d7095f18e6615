"""The command line: its exit codes, its one line for wrong input, and a search from end to end."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from occam.search import cli
from occam.search.cli import main
from occam.search.errors import redacted
from occam.search.held_out import HeldOut
from occam.search.options import parser
from occam.search.runs.store import connect, default_uri
from occam.search.studies.storage import reading_only
from tasks import blobs
from werkzeug.test import Client

KEYS = {
    *("pipeline", "metric", "target", "search_target", "margin", "engine", "sampler", "trainer"),
    *("backend", "seed", "name", "rows", "seconds", "epochs_trained", "trials", "selected"),
    *("ladder", "incumbents", "mlflow"),
}


TWO_OUTPUTS = """    inputs = keras.Input((4,))
    output = model(inputs)
    model = keras.Model(inputs, [output, output])
"""


BROKEN = """import optuna

class Broken(optuna.samplers.RandomSampler):
    def __init__(self):
        raise ValueError("no luck")
"""


def occam(*arguments: str) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that wrong input is answered with; nothing may have been written."""
    assert occam(*arguments) == 2
    message = capsys.readouterr().err.strip()
    assert "\n" not in message
    assert message.startswith("occam: ")
    assert not list(Path("mlruns").glob("studies/*"))
    return message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table.csv"], "'table.csv' is no pipeline: give a table as --csv table.csv --label"),
        (["rows.npz"], "'rows.npz' is no pipeline: give arrays as --npz rows.npz"),
        (["photos"], "'photos' is no pipeline: give a folder of images as --images photos"),
        (["task"], "'task' is no pipeline: did you mean task.py"),
        (["--csv", "rows.npz", "--label", "y"], "holds arrays, no table: give it as --npz"),
        (["digts"], "Unknown pipeline 'digts'. Did you mean: digits"),
        (["digits", "--sampler", "tpee"], "Unknown sampler 'tpee'. Available samplers: level-set"),
        (
            ["digits", "--engine", "optun"],
            "Unknown engine 'optun'. Available engines: keras-tuner, optuna",
        ),
        (["digits", "--backend", "theano"], "invalid choice: 'theano'"),
        (["digits", "--target", "95"], "Target 95 is outside the range of accuracy"),
        (["digits", "--target", "x"], "'x' is not a number"),
        (["digits", "--trials", "0"], "'0' is not a whole number above 0"),
        (["digits", "--epochs", "-3"], "'-3' is not a whole number above 0"),
        (["digits", "--workers", "0"], "'0' is not a whole number above 0"),
        (["digits", "--timeout", "nan"], "'nan' is not a number above 0"),
        (["digits", "--margin", "-1"], "'-1' is not a number of at least 0"),
        (["digits", "--seed", "-1"], "'-1' is not a whole number from 0"),
        (["digits", "--margin", "1e300"], "'1e300' is not a number up to 1000"),
        (["digits", "--seed", "9" * 5000], "'99999999999999999999...' is not a whole number"),
        (
            ["digits", "--json", "no/such/x.json"],
            "--json no/such/x.json cannot be written: No such",
        ),
        (["digits", "--json", "."], "--json . cannot be written: Is a directory"),
        (["digits", "--name", "///"], "has no letter or digit"),
        (["digits", "--name", "n" * 300], "--name takes 300 bytes: give one of at most 200"),
        (["digits", "--name", "ü" * 101], "--name takes 202 bytes: give one of at most 200"),
        (["digits", "--name", "a\nb"], "'a\\nb' has characters that cannot be printed"),
        (["digits", "--trials", "9" * 19], "trials must be a whole number from 1 to 10^18 - 1"),
        (["digits", "a\nb"], "unrecognized arguments: a b"),
        (["digits", "--storage", "sqlite://"], "the memory of one process"),
        (["digits", "--storage", "sqlite:///:memory:"], "the memory of one process"),
        (["digits", "--warm-start", "sqlite:///none.db"], "sqlite:///none.db does not exist"),
        (["digits", "--sampler", "samplers_of_mine:Broken"], "cannot be made: ValueError: no luck"),
        (["digits", "--tracking-uri", "sqlite://"], "'sqlite://' names no file"),
        (["digits", "--tracking-uri", "sqlite:///:memory:"], "names no file"),
        (["digits", "--tracking-uri", "sqlite:///."], "is no file"),
        (["digits", "--tracking-uri", "mssql://x"], "needs a driver that is not installed"),
        (["digits", "--name", ""], "argument --name: it is empty"),
        (["digits", "--sampler", ":x"], "Sampler ':x' cannot be imported"),
        (["digits", "--warm-start", "/no/such"], "--warm-start /no/such does not exist"),
        (["digits", "--storage", "foo"], "--storage foo cannot be used"),
        (
            [
                "digits",
                "--storage",
                "sqlite:///x.db",
                "--engine",
                "keras-tuner",
                "--sampler",
                "grid",
            ],
            "leave it out with --engine keras-tuner",
        ),
        (["digits", "--tracking-uri", "foo://x"], "store 'foo://x' cannot be used"),
        (["nowhere.py"], "does not exist"),
        ([], "the following arguments are required: PIPELINE"),
    ],
)
def test_wrong_options_are_refused_in_one_line(workplace, monkeypatch, capsys, arguments, message):
    monkeypatch.syspath_prepend(workplace)
    Path("samplers_of_mine.py").write_text(BROKEN)
    Path("photos").mkdir()
    for name in ("table.csv", "rows.npz", "task.py"):
        Path(name).touch()
    assert message in refused(capsys, "search", *arguments)
    assert not Path("none.db").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("pipeline = Pipeline(", "pipeline = (Pipeline(")], "is not valid Python"),
        ([("pipeline = Pipeline(", "task = Pipeline(")], "must define `pipeline = Pipeline(...)`"),
        ([("import keras\n", "import kerass\n")], "No module named 'kerass'"),
        ([("epochs=12", 'metric="acc"')], "Unknown metric 'acc'"),
        ([("target=0.9", "target=1.5")], "Target 1.5 is outside the range"),
        ([("inputs[a:b], labels[a:b]", "inputs[a:b], labels[a : b - 1]")], "199"),
        ([("    split =", "    inputs[7, 1] = np.nan\n    split =")], "NaN"),
        ([("    split =", "    labels[:] = 1\n    split =")], "one class"),
        ([("split(200, 300)", "split(0, 0)")], "empty"),
        ([("    split =", "    labels = labels * 3\n    split =")], "3"),
        ([("    split =", "    labels = labels - 0.5\n    split =")], "whole numbers"),
        ([("return Data(", "return (")], "must return Data, received tuple"),
        ([("    rng = np", "    raise OSError('disk on fire')\n    rng = np")], "disk on fire"),
        ([('"sparse_categorical_crossentropy"', '"sparse_crossentropy"')], "Keras has no loss"),
        ([("    return model", "    return 'model'")], "must return a keras.Model, received str"),
        ([("Input((4,))", "Input((3,))")], "cannot be trained on its data: "),
        (
            [('_crossentropy")', '_crossentropy", metrics=["nope"])')],
            "Could not interpret metric identifier: nope",
        ),
        (
            [
                ("keras.Sequential([keras.Input((4,))])", "keras.Sequential()"),
                ("    rate =", TWO_OUTPUTS + "    rate ="),
            ],
            "The model has 2 outputs, and a metric is measured on one",
        ),
        (
            [("epochs=12", "batch_size=0")],
            "batch_size of a Pipeline must be a whole number",
        ),
        ([("epochs=12", "epochs=0")], "epochs of a Pipeline must be a whole number from 1"),
        ([("epochs=12", 'name="a/b"')], "'a/b' cannot be a registered model's"),
        ([("    return model", "    raise ValueError('no shape')")], "no shape"),
        ([("return model", "return None")], "received NoneType"),
    ],
)
def test_a_wrong_task_is_refused_in_one_line(workplace, capsys, changes, message):
    assert message in refused(capsys, "search", blobs(workplace, *changes))


def test_a_folder_that_cannot_be_written_is_refused(workplace, capsys):
    Path("mlruns").write_text("a file where a folder should be")
    assert "Cannot write to mlruns/studies" in refused(capsys, "search", blobs(workplace))


def test_nothing_to_show_promote_or_predict_with_is_said_in_one_line(workplace, capsys):
    for command in (
        ["results"],
        ["promote"],
        ["rollback", "digits"],
        ["predict", "digits", "x.csv"],
    ):
        refused(capsys, *command)


def test_a_result_is_written_over_nothing_that_is_read(workplace, capsys):
    task = blobs(workplace)
    text = Path(task).read_text()
    said = refused(capsys, "search", task, "--json", task)
    assert "is what is to be searched" in said
    assert Path(task).read_text() == text
    Path("link.json").symlink_to("later.json")
    refused(capsys, "search", task, "--json", "link.json", "--target", "95")
    assert Path("link.json").is_symlink()
    assert not Path("later.json").exists()


def test_a_result_may_go_to_a_pipe_or_be_called_as_a_pipeline(workplace, capsys):
    given = cli.parser().parse_args(["search", "digits", "--json", "digits"])
    Path("digits").touch()
    cli._check_json(given)
    code = "from occam.search import cli; cli._check_json(cli.parser().parse_args({}))"
    options = ["search", "digits", "--json", "/dev/stdout"]
    command = [sys.executable, "-c", code.format(options)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def test_a_named_pipe_is_not_opened_before_there_is_a_result(workplace):
    os.mkfifo("result")
    reader, poll = os.open("result", os.O_RDONLY | os.O_NONBLOCK), select.poll()
    given = cli.parser().parse_args(["search", "digits", "--json", "result"])
    cli._check_json(given)
    poll.register(reader, select.POLLHUP)
    assert poll.poll(0) == []  # no writer has come and gone
    os.close(reader)


def test_what_judges_the_trials_of_a_study_stays(workplace, monkeypatch, capsys):
    task = blobs(workplace)
    occam("search", task, "--name", "mine", "--trials", "1", "--quiet")
    monkeypatch.setattr("occam.search.plan.search_target", lambda *_: 0.91)
    assert occam("search", task, "--name", "mine", "--trials", "2") == 2
    assert "was made with other data, or with another target" in capsys.readouterr().err


def test_groups_that_are_not_those_of_the_test_rows_are_refused(workplace, capsys):
    task = blobs(workplace, ("epochs=12", "groups=[1, 2, 3]"))
    said = refused(capsys, "search", task, "--storage", "sqlite:///new.db")
    assert not Path("new.db").exists()
    assert "groups of a Pipeline are those of the test rows, 100, received 3" in said


def test_an_experiment_that_was_deleted_is_told_before_anything_is_written(workplace, capsys):
    Path("mlruns").mkdir()
    client = connect(default_uri(), create=True)
    client.delete_experiment(client.create_experiment("blobs"))
    said = refused(capsys, "search", blobs(workplace))
    assert "was deleted in MLflow: bring it back" in said


def test_no_signal_changes_the_exit_code_of_a_command_that_is_done():
    done = (
        "import os, signal, sys; from occam.search import cli; "
        "cli.main = lambda: 3; code = cli.entry(); "
        "[os.kill(os.getpid(), each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]; "
        "sys.exit(code)"
    )
    assert subprocess.run([sys.executable, "-c", done], timeout=60).returncode == 3


def test_no_file_takes_the_place_of_a_stream_that_came_closed(tmp_path):
    code = (
        "import os, sys; from occam.search import cli; "
        "cli.main = lambda: sys.stderr.flush() or os.open('database', os.O_CREAT); "
        "sys.exit(cli.entry())"
    )
    closed = ["sh", "-c", 'exec "$0" -c "$1" 0<&- 1>&- 2>&-', sys.executable, code]
    assert subprocess.run(closed, cwd=tmp_path, timeout=60).returncode > 2


@pytest.mark.slow
def test_modules_of_the_working_directory_are_found(workplace):
    package = Path("tasks_here")
    package.mkdir()
    Path(blobs(workplace)).rename(package / "mine.py")
    Path("samplers_here.py").write_text(
        "from optuna.samplers import RandomSampler\n\nclass Own(RandomSampler):\n    pass\n"
    )
    Path("metrics_here.py").write_text(
        "def right(labels, predictions):\n"
        "    return float((predictions.argmax(axis=1) == labels).mean())\n"
    )
    command = [Path(sys.executable).with_name("occam"), "search", "tasks_here.mine"]
    own = ["--sampler", "samplers_here:Own", "--metric", "metrics_here:right"]
    options = [*own, "--trials", "2", "--workers", "2", "--quiet"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


def study_name() -> str:
    """The name of the one search that is not set aside."""
    [folder] = [each for each in Path("mlruns/studies").iterdir() if not each.suffix]
    return folder.name


def test_each_option_says_what_it_is_for():
    [commands] = [each for each in parser()._actions if each.dest == "run"]
    for command in commands.choices.values():
        assert [each.dest for each in command._actions if not each.help] == []


def test_a_report_says_why_it_cannot_be_written_there(searched, monkeypatch, capsys):
    monkeypatch.chdir(searched[0])
    for output, why in ((".", "give the name of a file"), ("no/such.html", "there is no folder")):
        assert occam("report", "--output", output) == 2
        assert f"--output {output} cannot be written: {why}" in capsys.readouterr().err


def test_help_and_list_answer(workplace, capsys):
    assert occam("--help") == 0
    assert occam("search", "--help") == 0
    assert occam("list") == 0
    printed = capsys.readouterr().out
    assert "digits" in printed
    assert "level-set" in printed


def test_what_needs_no_data_is_refused_before_they_are_read(workplace, capsys):
    unread = ("def data():", "def data():\n    raise SystemExit('read')\n")
    task = blobs(workplace, unread)
    Path("notes.py").write_text("x = 1\n")
    for options, said in {
        ("--warm-start", "no.log"): "--warm-start no.log does not exist",
        ("--warm-start", "notes.py"): "is neither an Optuna journal nor a SQLite file",
        ("--storage", "sqlite:////no/such/x.db"): "/no/such is no folder that can be written to",
        ("--tracking-uri", "x://y"): "cannot be used",
    }.items():
        assert said in refused(capsys, "search", task, *options)
    assert not Path("mlruns").exists()


def test_a_folder_whose_name_says_something_in_an_address_keeps_its_store(tmp_path, monkeypatch):
    folder = tmp_path / "feature%2Fnew?x"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert occam("search", blobs(folder), "--trials", "12", "--quiet") == 0
    assert Path("mlruns/mlflow.db").is_file()
    assert occam("promote", "blobs") == 0
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory):
    """One search of the blobs, in a folder that the tests below go on with."""
    folder = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code = occam("search", blobs(folder), "--trials", "32", "--json", "first.json")
        assert code == 0
        yield folder, json.loads(Path("first.json").read_text())


def test_the_result_has_the_contracts_keys(searched):
    _, summary = searched
    assert set(summary) == KEYS
    assert set(summary["trials"]) == {"complete", "pruned", "rejected", "fail"}
    assert set(summary["rows"]) == {"train", "validation", "test"}
    selected = summary["selected"]
    assert {"trial", "parameter_count", "trainable_parameter_count", "hyperparameters"} <= set(
        selected
    )
    assert set(selected["test"]) == {"score", "correct", "rows", "lower_bound", "verdict", "opened"}
    assert selected["model_uri"]
    rung = {"trial", "parameter_count", "validation", "run_id"}
    assert {frozenset(each) - {"test"} for each in summary["ladder"]} == {frozenset(rung)}
    opened = [each["test"]["opened"] for each in summary["ladder"] if "test" in each]
    assert sorted(opened) == list(range(1, 1 + summary["selected"]["test"]["opened"]))
    assert set(summary["incumbents"][0]) == {
        "epochs_trained",
        "seconds",
        "parameter_count",
        "trial",
    }
    assert set(summary["mlflow"]) == {"tracking_uri", "experiment_id", "run_id"}


def test_the_smallest_that_reached_is_selected(searched):
    _, summary = searched
    sizes = [rung["parameter_count"] for rung in summary["ladder"]]
    assert sizes == sorted(sizes)
    assert summary["selected"]["parameter_count"] == sizes[0]
    assert summary["selected"]["test"]["score"] >= summary["target"]
    assert summary["incumbents"][-1]["parameter_count"] == sizes[0]


def test_the_same_command_again_trains_nothing_and_says_the_same(searched, monkeypatch, capsys):
    folder, first = searched
    monkeypatch.chdir(folder)
    assert occam("search", "blobs.py", "--trials", "32", "--json", "again.json") == 0
    again = json.loads(Path("again.json").read_text())
    for key in ("epochs_trained", "trials", "ladder", "selected", "mlflow", "name"):
        assert again[key] == first[key]
    assert "Search ended: no smaller model is likely" in capsys.readouterr().out


def test_an_identity_that_a_full_disk_has_cut_off_does_not_set_a_search_aside(
    searched, monkeypatch
):
    folder, first = searched
    monkeypatch.chdir(folder)
    Path("mlruns/studies", first["name"], "identity").write_text("")
    options = ["--trials", "32", "--json", "again.json", "--quiet"]
    assert occam("search", "blobs.py", *options) == 0
    assert json.loads(Path("again.json").read_text())["epochs_trained"] == first["epochs_trained"]
    assert sum(each.is_dir() for each in Path("mlruns/studies").iterdir()) == 1


def damage(study: Path) -> None:
    journal = study / "study.journal"
    lines = journal.read_text().splitlines()
    journal.write_text("".join(f"{line}\n" for line in [*lines[:5], lines[5][:9], *lines[6:]]))


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (damage, 2, "study.journal has a line that cannot be read: bring it back from a copy"),
        (lambda study: shutil.rmtree(study / "models"), 1, r"The model of trial \d+ is gone from"),
    ],
)
def test_a_study_that_was_damaged_says_how_to_go_on(
    searched, workplace, monkeypatch, capsys, how, code, said
):
    folder, first = searched
    shutil.copytree(folder, "copy")
    monkeypatch.chdir("copy")
    how(Path("mlruns/studies", first["name"]))
    assert occam("search", "blobs.py", "--trials", "33", "--quiet") == code
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(said, message)
    assert message.endswith("begin the search anew with --fresh.")


def without_privilege(*names: str) -> list[str]:
    """How a command begins by which even the superuser gives up the right to any file."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("the superuser reads and writes everything, and there is no setpriv")
    given_up = ",".join(f"-{name}" for name in names)
    return ["setpriv", f"--bounding-set={given_up}", f"--inh-caps={given_up}"]


@pytest.mark.parametrize(
    "command",
    [
        "search shut/my_task.py",
        "search --csv shut/x.csv --label y",
        "search --images shut/photos",
        "results --tracking-uri sqlite:///shut/mlflow.db",
        "predict digits shut/new.csv",
        "init shut/my_task.py",
    ],
)
def test_a_path_that_is_closed_is_wrong_input(command, workplace):
    Path("shut").mkdir(mode=0)
    privilege = without_privilege("dac_override", "dac_read_search")
    ended = subprocess.run(
        [*privilege, sys.executable, "-m", "occam.search.cli", *command.split()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert re.match("occam: .*shut.*Permission denied", line)


def test_what_only_reads_needs_no_store_that_can_be_written(searched, tmp_path):
    """As another user, who may only read."""
    unprivileged = without_privilege("dac_override")
    first = Path(shutil.copytree(searched[0], tmp_path / "first"))
    with contextlib.chdir(first):
        assert occam("promote", "blobs") == 0
    folder = Path(shutil.copytree(first, tmp_path / "copy"))  # whose files are read where they were
    np.savetxt(folder / "new.csv", np.zeros((2, 4)), delimiter=",")
    commands = {
        "results": 0,
        "champions": 0,
        "promote blobs --dry-run": 0,
        "predict blobs new.csv --output ../predicted.csv": 0,
        "report --output ../report.html": 0,
        "promote blobs": 2,
        "search blobs.py": 2,
    }
    places = [folder, *folder.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    listed = ", ".join(f"main({command.split()})" for command in commands)
    code = f"import sys; from occam.search.cli import main; sys.exit(str([{listed}]))"
    ended = subprocess.run(
        [*unprivileged, sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
    )
    for place in places:
        place.chmod(0o755 if place.is_dir() else 0o644)
    assert ended.stderr.strip().endswith(str([*commands.values()]))
    assert "was moved or copied, and can only be read" in ended.stderr
    assert "can only be read: have it made writable" in ended.stderr
    assert "Cannot write to mlruns/studies" in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_result_that_a_full_disk_refuses_is_kept(searched, monkeypatch, capsys):
    folder, _ = searched
    monkeypatch.chdir(folder)
    assert occam("search", "blobs.py", "--trials", "32", "--quiet", "--json", "/dev/full") == 1
    said = capsys.readouterr().err
    assert "--json /dev/full cannot be written: No space left on device. The search is" in said
    assert occam("report", "--output", "/dev/full") == 2
    assert "--output /dev/full cannot be written: No space" in capsys.readouterr().err


def test_another_store_is_named_in_what_to_type_next(workplace, capsys):
    options = ["--tracking-uri", "sqlite:///other.db"]
    assert occam("search", blobs(workplace), "--trials", "12", *options) == 0
    assert occam("results", "blobs", *options) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Next: ")]
    assert len(said) == 2
    assert set(said) == {
        "Next: `occam ui --tracking-uri sqlite:///other.db` to review, `occam promote blobs "
        "--tracking-uri sqlite:///other.db` to make it the champion."
    }
    assert occam("results", "blobs") == 2


def test_a_search_is_found_by_its_name_as_it_was_given(workplace, capsys):
    assert occam("search", blobs(workplace), "--name", "my best", "--trials", "12", "--quiet") == 0
    assert occam("results", "my best") == 0
    assert "blobs: accuracy target 0.9" in capsys.readouterr().out


def test_a_search_may_go_back_from_a_database_to_its_own_file(workplace):
    task = blobs(workplace)
    for storage in ([], ["--storage", "sqlite:///studies.db"], [], []):
        assert occam("search", task, "--trials", "2", "--quiet", *storage) in (0, 3)
    Path("mlruns/studies", study_name(), "study.journal").unlink()
    assert occam("search", task, "--trials", "2", "--quiet") in (0, 3)


def test_a_model_that_mlflow_has_lost_is_logged_and_promoted_again(workplace, capsys):
    command = ["search", blobs(workplace), "--trials", "12", "--quiet"]
    assert occam(*command) == 0
    assert occam("promote", "blobs") == 0
    shutil.rmtree("mlruns/artifacts/models")
    assert occam(*command) == 0
    assert occam("promote", "blobs") == 0
    assert "blobs version 2 is the champion" in capsys.readouterr().out
    assert occam("promote", "blobs") == 0
    assert "version 2 is the champion already" in capsys.readouterr().out


def test_the_same_seed_elsewhere_gives_the_same_trials_and_selection(searched, workplace):
    _, first = searched
    command = ["search", blobs(workplace), "--trials", "32", "--json", "o.json", "--quiet"]
    assert occam(*command) == 0
    other = json.loads(Path("o.json").read_text())
    assert other["name"] == first["name"]
    assert other["trials"] == first["trials"]
    assert [rung["validation"] for rung in other["ladder"]] == [
        rung["validation"] for rung in first["ladder"]
    ]
    assert other["selected"]["hyperparameters"] == first["selected"]["hyperparameters"]


def test_a_model_that_cannot_be_served_is_found_all_the_same(workplace, capsys):
    own = "    model.add(keras.layers.Lambda(lambda x: x))\n    rate ="
    task = blobs(workplace, ("    rate =", own))
    assert occam("search", task, "--trials", "3", "--json", "o.json") == 0
    assert "This model cannot be served" in capsys.readouterr().out
    selected = json.loads(Path("o.json").read_text())["selected"]
    assert selected["model_uri"] is None
    assert selected["test"]["verdict"] in ("holds", "certified")


def test_a_reader_that_has_had_enough_ends_neither_a_search_nor_its_result(workplace):
    task = blobs(workplace)
    command = [sys.executable, "-m", "occam.search.cli"]
    search = [*command, "search", task, "--trials", "2", "--json", "o.json"]
    for each in (search, [*command, "results"]):
        process = subprocess.Popen(each, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        process.stdout = None
        assert process.communicate(timeout=120)[1] == b""
        assert process.returncode in (0, 3)  # as the search ends
    assert sum(json.loads(Path("o.json").read_text())["trials"].values()) == 2


def test_quiet_prints_nothing(workplace, capfd):
    occam("search", blobs(workplace), "--trials", "1", "--quiet")
    assert capfd.readouterr().out == ""


def test_fresh_starts_anew_and_keeps_the_old_aside(searched, monkeypatch):
    folder, first = searched
    monkeypatch.chdir(folder)
    occam("search", "blobs.py", "--trials", "1", "--fresh", "--json", "fresh.json")
    fresh = json.loads(Path("fresh.json").read_text())
    assert sum(fresh["trials"].values()) == 1
    assert fresh["mlflow"]["run_id"] != first["mlflow"]["run_id"]
    kept = [path for path in Path("mlruns/studies").iterdir() if path.is_dir()]
    assert len(kept) == 2


def test_a_target_that_no_model_reaches_is_exit_3_and_says_why(workplace, capsys):
    task = blobs(workplace, ("2.2 * labels", "0.5 * labels"))
    assert occam("search", task, "--trials", "2", "--json", "none.json") == 3
    assert json.loads(Path("none.json").read_text())["selected"] is None
    printed = capsys.readouterr().out
    assert "No model reached the search target" in printed
    why = printed[printed.index("The best was trial") :]
    assert "would help." in why
    assert occam("results") == 3
    assert capsys.readouterr().out.endswith(why)
    occam("report")
    best, *_ = why.splitlines()
    assert f"<li>{best}</li>" in Path("report.html").read_text()
    capsys.readouterr()
    occam("results", "--format", "csv")
    columns = "trial,parameter_count,validation,test,lower_bound,verdict,run_id"
    assert capsys.readouterr().out == f"{columns}\n"


def test_rows_too_few_to_show_the_target_are_said_before_the_first_epoch(workplace, capsys):
    occam("search", blobs(workplace), "--target", "0.98", "--trials", "1")
    printed = capsys.readouterr().out
    assert printed.startswith("Warning: 100 validation rows are too few to show accuracy 0.98")


def test_a_margin_of_zero_is_warned_of(workplace, capsys):
    occam("search", blobs(workplace), "--margin", "0", "--trials", "1")
    assert capsys.readouterr().out.startswith("Warning: without a margin")


def test_a_margin_is_named_that_keeps_luck_out_of_many_trials(workplace, capsys):
    task, said = blobs(workplace), "Among 1,000 trials some reach by luck on 100 validation rows"
    for trials in ("1000", "100"):
        occam("search", task, "--trials", trials, "--epochs", "1")
        assert (said in capsys.readouterr().out) is (trials == "1000")


def test_the_epochs_of_a_search_are_never_more_than_asked(workplace):
    occam("search", blobs(workplace), "--epochs", "15", "--json", "o.json", "--quiet")
    assert json.loads(Path("o.json").read_text())["epochs_trained"] <= 15


def test_another_activation_is_another_search_and_no_run_is_taken_for_its_own(workplace):
    for kind in ("relu", "tanh"):
        task = blobs(workplace, ('"relu"', f'"{kind}"'))
        occam("search", task, "--name", "s", "--trials", "16", "--json", f"{kind}.json", "--quiet")
    first, second = (json.loads(Path(f"{kind}.json").read_text()) for kind in ("relu", "tanh"))
    assert sum(second["trials"].values()) >= 16
    assert first["mlflow"]["run_id"] != second["mlflow"]["run_id"]
    client = mlflow.MlflowClient(second["mlflow"]["tracking_uri"])
    for rung in second["ladder"]:
        run = client.get_run(rung["run_id"])
        assert run.data.metrics["parameter_count"] == rung["parameter_count"]
        assert run.data.tags["mlflow.parentRunId"] == second["mlflow"]["run_id"]


def test_a_study_that_was_removed_begins_anew_in_mlflow_too(workplace):
    task = blobs(workplace)
    for seed in ("1", "2"):
        options = ("--name", "s", "--trials", "3", "--seed", seed, "--quiet")
        occam("search", task, *options, "--json", f"{seed}.json")
        shutil.rmtree("mlruns/studies")
    first, second = (json.loads(Path(f"{seed}.json").read_text()) for seed in ("1", "2"))
    assert first["mlflow"]["run_id"] != second["mlflow"]["run_id"]


def test_a_name_is_not_reused_for_another_search(workplace, capsys):
    task = blobs(workplace)
    occam("search", task, "--name", "mine", "--trials", "1", "--quiet")
    assert occam("search", task, "--name", "mine", "--target", "0.8") == 2
    assert "was made with other data, or with another target" in capsys.readouterr().err


def test_the_champions_way_promote_predict_and_promote_again(searched, monkeypatch, capsys):
    folder, first = searched
    monkeypatch.chdir(folder)
    run = ["--run-id", first["mlflow"]["run_id"]]
    assert occam("promote", "blobs", *run) == 0
    assert "blobs version 1 is the champion" in capsys.readouterr().out
    rows = "a,b,c,d\n2,2,2,2\n0,0,0,0\n"
    Path("new.csv").write_text(rows)
    assert occam("predict", "blobs", "new.csv", "--output", "out.csv") == 0
    lines = Path("out.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["prediction", "1", "0"]


def test_what_should_not_happen_is_one_line_too_unless_asked(workplace, monkeypatch, capsys):
    def broken(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("occam.search.loading.find", broken)
    assert occam("search", "digits") == 1
    assert "unexpected RuntimeError: two lines." in capsys.readouterr().err
    monkeypatch.setenv("OCCAM_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        occam("search", "digits")


def test_results_are_shown_with_a_plot_and_in_each_format(searched, monkeypatch, capsys):
    folder, first = searched
    monkeypatch.chdir(folder)
    name, smallest = first["mlflow"]["run_id"], first["ladder"][0]
    assert occam("results", name) == 0
    printed = capsys.readouterr().out
    assert "● reached" in printed
    assert "than the linear model" in printed
    assert occam("results", name, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["ladder"] == first["ladder"]
    assert occam("results", name, "--format", "csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "trial,parameter_count,validation,test,lower_bound,verdict,run_id"
    assert lines[1].startswith(f"{smallest['trial']},{smallest['parameter_count']},")
    assert len(lines) == 1 + len(first["ladder"])
    assert occam("results", name, "--format", "markdown") == 0
    assert capsys.readouterr().out.startswith("| trial | parameter_count | validation |")


def test_two_searches_are_compared(searched, monkeypatch, capsys):
    folder, first = searched
    monkeypatch.chdir(folder)
    assert occam("results", "--compare", first["mlflow"]["run_id"], first["mlflow"]["run_id"]) == 0
    printed = capsys.readouterr().out
    count = first["selected"]["parameter_count"]
    assert f"Both hold accuracy 0.9 with {count:,} parameters." in printed
    assert (
        occam("results", "--compare", first["mlflow"]["run_id"], "blobs", "--format", "json") == 0
    )
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["parameters"] == count
    assert occam("results", "--compare", "blobs", "nothing") == 2
    assert occam("results", "blobs", "--compare", "blobs", "blobs") == 2


def test_the_report_is_written_again_also_of_a_search_that_kept_no_record(
    searched, monkeypatch, capsys
):
    folder, first = searched
    monkeypatch.chdir(folder)
    assert occam("report", first["mlflow"]["run_id"], "--output", "one.html") == 0
    assert "Wrote one.html" in capsys.readouterr().out
    kept = Path("mlruns", "artifacts", first["mlflow"]["run_id"], "artifacts", "record.json")
    text = kept.read_text()
    kept.unlink()
    assert occam("report", first["mlflow"]["run_id"], "--output", "two.html") == 0
    kept.write_text(text)
    one, two = (embedded(Path(name)) for name in ("one.html", "two.html"))
    assert one["trials"]["rows"] == two["trials"]["rows"]
    assert one["tables"]["curves"] == two["tables"]["curves"]
    assert occam("report", "--output", "nowhere/report.html") == 2
    assert occam("report", "--output", "/dev/full") == 2
    assert "--output /dev/full cannot be written" in capsys.readouterr().err


def embedded(page: Path) -> dict[str, Any]:
    text = page.read_text()
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_test_rows_of_what_was_opened_are_kept(searched, monkeypatch):
    folder, first = searched
    monkeypatch.chdir(folder)
    run = first["selected"]["run_id"]
    kept = HeldOut.load(Path("mlruns", "artifacts", run, "artifacts", "test_rows.npz"))
    assert np.sum(kept.labels == kept.predictions) == first["selected"]["test"]["correct"]


def test_optunas_dashboard_reads_a_study_and_changes_nothing(searched, monkeypatch, capsys):
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    folder, first = searched
    monkeypatch.chdir(folder)
    journal = Path("mlruns", "studies", first["name"], "study.journal")
    before = journal.read_bytes()
    client = Client(dashboard.wsgi(reading_only(journal)))
    studies = client.get("/api/studies").get_json()["study_summaries"]
    assert [each["study_name"] for each in studies] == [first["name"]]
    detail = client.get("/api/studies/0?after=0").get_json()
    assert detail["trials"]
    assert journal.read_bytes() == before
    assert occam("dashboard", "--storage", "no-url") == 2
    assert "--storage no-url cannot be used" in capsys.readouterr().err
    assert occam("dashboard", "nothing") == 2
    assert f"it has {first['name']}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://me:s3cret@host/db.", "at postgresql://me:***@host/db."),
        ("http://me:p@ss@host:5000/x", "http://me:***@host:5000/x"),
        ("mysql://host/db?user=me&password=s3cret&x=1", "mysql://host/db?user=me&password=***&x=1"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
    ],
)
def test_passwords_of_addresses_are_never_shown(text, shown):
    assert redacted(text) == shown


def test_what_a_terminal_has_no_character_for_does_not_end_a_command(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setitem(cli.COMMANDS, "list", lambda options: print("R²", flush=True) or 0)
    assert main(["list"]) == 0
    assert written.getvalue() == b"R?\n"
