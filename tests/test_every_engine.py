"""What each engine promises, with each of its samplers; nothing is trained."""

from __future__ import annotations

from importlib.util import find_spec

import keras
import pytest
import toy
from occam.search import engines
from occam.search.trials import Trial, failed, rejected

PLAIN = {"optuna": "random", "keras-tuner": "random"}
NEEDS_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")

every_engine = pytest.mark.parametrize("name", engines.SAMPLERS)
every_sampler = pytest.mark.parametrize(
    ("name", "sampler"),
    [
        pytest.param(name, sampler, marks=[NEEDS_TORCH] if sampler == "gp" else [])
        for name in engines.SAMPLERS
        for sampler in engines.samplers(name)
    ],
)


def test_each_has_a_plain_sampler():
    assert PLAIN.keys() == engines.SAMPLERS.keys()


@every_sampler
def test_it_asks_and_learns(tmp_path, name, sampler):
    searching = toy.engine(name, tmp_path, sampler)
    asked = toy.work(searching, 25)
    assert [trial.number for trial in asked] == list(range(len(asked)))
    assert len(searching.finished) == len(asked) >= 16  # ours ends where nothing is likely
    for trial in searching.finished:
        units = trial.hyperparameters["units"]
        assert bool(trial.error) == (units == 13)
        assert trial.parameter_count == (0 if trial.error else 7 * units)
        widths = {each for each in trial.hyperparameters if each.startswith("width_")}
        assert widths == {f"width_{n}" for n in range(trial.hyperparameters["layers"])}
        assert {type(each) for each in trial.hyperparameters.values()} <= {int, float, str}


@every_sampler
def test_a_search_that_was_interrupted_asks_what_an_undisturbed_one_asks(tmp_path, name, sampler):
    undisturbed = toy.work(toy.engine(name, tmp_path / "whole", sampler), 16)
    parts = toy.work(toy.engine(name, tmp_path / "parts", sampler), 6)
    dying = toy.engine(name, tmp_path / "parts", sampler)
    dying.ask(1)  # asked for, never told
    parts += toy.work(toy.engine(name, tmp_path / "parts", sampler), 10)

    def told(trials: list[Trial]) -> list[tuple]:
        return [(t.number, t.hyperparameters, t.epochs, t.initial_epoch, t.seed) for t in trials]

    assert told(parts) == told(undisturbed)


@every_engine
def test_another_seed_asks_something_else(tmp_path, name):
    one, two = (
        toy.work(toy.engine(name, tmp_path / str(seed), PLAIN[name], seed=seed), 6)
        for seed in (0, 1)
    )
    assert [t.hyperparameters for t in one] != [t.hyperparameters for t in two]


@every_engine
def test_what_finished_comes_back_as_it_was(tmp_path, name):
    searching = toy.engine(name, tmp_path, PLAIN[name])
    trials = searching.ask(3)
    told = [
        toy.outcome(trials[0]),
        rejected(trials[1], "too large"),
        failed(trials[2], "out of memory", epochs=2),
    ]
    for finished in told:
        searching.tell(finished)
    assert toy.engine(name, tmp_path, PLAIN[name]).finished == told


@every_engine
@pytest.mark.parametrize("half", [b'{"op_code": 5, "wor', b'{"told": {"num'])
def test_a_journal_with_half_a_last_line_is_mended(tmp_path, name, half):
    toy.work(toy.engine(name, tmp_path, PLAIN[name]), 3)
    with (tmp_path / "study.journal").open("ab") as journal:
        journal.write(half)
    resumed = toy.engine(name, tmp_path, PLAIN[name])
    assert len(resumed.finished) == 3
    assert [trial.number for trial in toy.work(resumed, 1)] == [3]


@every_engine
def test_a_trial_that_ends_its_process_again_and_again_is_given_up(tmp_path, name):
    before = toy.engine(name, tmp_path, PLAIN[name]).ask(1)[0]
    for _ in range(4):
        assert toy.engine(name, tmp_path, PLAIN[name]).ask(1)[0] == before
    error = toy.engine(name, tmp_path, PLAIN[name]).ask(1)[0].error
    assert error == "the process has ended 5 times while this trial was under way"


@every_engine
def test_a_trial_that_cannot_even_be_built_without_a_crash_is_given_up(tmp_path, name):
    crashes = [False]

    def space(hp) -> keras.Model:
        if crashes[0]:
            raise SystemExit  # nothing catches it, as little as the end of a process
        return toy.few(hp)

    def asked() -> list[Trial]:
        crashes[0] = False
        searching = toy.engine(name, tmp_path, PLAIN[name], space=space)
        crashes[0] = True
        [trial] = searching.ask(1)
        searching.tell(failed(trial, trial.error))
        return searching.finished

    for _ in range(6):
        with pytest.raises(SystemExit):
            asked()
    assert asked()[0].error == "the process has ended 6 times while this trial was under way"


@every_engine
def test_an_orderly_end_is_no_crash_of_what_was_under_way(tmp_path, name):
    for _ in range(7):
        searching = toy.engine(name, tmp_path, PLAIN[name])
        first, second = searching.ask(2)
        assert (first.number, first.error, second.error) == (0, None, None)
        searching.leave()


@every_engine
def test_values_are_remembered_with_the_search(tmp_path, name):
    toy.engine(name, tmp_path, PLAIN[name]).remember("note", {"opened": [1, 2]})
    assert toy.engine(name, tmp_path, PLAIN[name]).recall("note") == {"opened": [1, 2]}
    assert toy.engine(name, tmp_path, PLAIN[name]).recall("nothing", 3) == 3


@every_engine
def test_a_configuration_that_cannot_be_built_is_an_error_of_one_line(tmp_path, name):
    def broken(hp) -> keras.Model:
        if hp.Int("units", 1, 2) == 2:
            raise ValueError("two\nunits")
        return toy.few(hp)

    searching = toy.engine(name, tmp_path, PLAIN[name], space=broken)
    errors = set()
    for _ in range(12):
        for trial in searching.ask(1):
            errors.add(trial.error)
            searching.tell(failed(trial, trial.error or "nothing"))
    assert errors == {None, "ValueError: two units"}


@every_engine
@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_a_space_of_which_all_is_proposed_ends_the_search(tmp_path, name, sampler):
    if (name, sampler) == ("optuna", "random"):
        pytest.skip("Optuna's random sampler proposes the same again")
    searching = toy.engine(name, tmp_path, sampler, space=toy.few, epochs=1)
    asked = toy.work(searching, 10)
    assert sorted(trial.hyperparameters["units"] for trial in asked) == [1, 2, 3]
    assert searching.ask(1) == []
    assert searching.exhausted_because.endswith("has proposed all there is")
