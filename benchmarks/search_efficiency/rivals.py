"""The other tools as their documentation says to use them, on the same tables.

Every run stops early where eight epochs bring no new best, and its best epoch is what counts, as
Keras's EarlyStopping with `restore_best_weights` does it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras_tuner
import numpy as np
import optuna
import scipy.linalg
import sklearn.gaussian_process
from occam.search.loop import HOPELESS
from occam.search.selection import search_target
from occam.search.stopping import Stop, Stops, final_score
from occam.search.studies.hyperparameters import SuggestedHyperParameters
from tables import MARGIN, SEEDS, Pick, Table

PATIENCE = 8
STOPPED = "random, Occam's stops"  # the one that knows no rule but ours
MISSED = 10.0  # added to a score, beside the shortfall, where one number has to say it all
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


@dataclass
class Player:
    """One tool on one table: what it has trained, and what it would deliver.

    Args:
        ours: whether it selects by our rule: the mean of two epochs has to reach the search target,
            which has a margin. Else the best epoch has to reach the target.
    """

    table: Table
    seed: int
    budget: int
    ours: bool
    picks: list[Pick] = field(default_factory=list)
    spent: int = 0

    def __post_init__(self) -> None:
        target, measured = self.table.target, self.table.metric
        aim = search_target(measured, target, self.table.labels, MARGIN)
        self.target = aim if self.ours else target
        self.seeds = np.random.default_rng(self.seed)

    @property
    def over(self) -> bool:
        return self.spent >= self.budget

    def train(self, number: int, report: Callable[[int, float], bool] | None = None) -> float:
        """Train a configuration and take it in; the score that counts."""
        seed = int(self.seeds.integers(SEEDS))
        score, epoch = self._run(number, seed, report)
        size = int(self.table.sizes[number])
        smaller = not self.picks or size < self.picks[-1][1]
        if smaller and self._reaches(score):
            self.take(number, seed, epoch)
        return score

    def train_with_stops(self, number: int) -> None:
        """Train a configuration until one of our absolute stops ends it, and take it in."""
        seed, epochs = int(self.seeds.integers(SEEDS)), self.table.task.epochs
        curve = self.table.validation[number, seed].tolist()
        stops = Stops(metric=self.table.metric, search_target=self.target, epochs=epochs)
        end, stop = 0, None
        while stop is None and end < epochs:
            end += 1
            stop = stops.decide(curve[:end])
        self.spent += end
        last = stop is None and self._reaches(final_score(curve))
        if stop is Stop.REACHED or last:
            self.take(number, seed, end - 1)

    def take(self, number: int, seed: int, epoch: int) -> None:
        truth = float(self.table.truth[number, seed, epoch])
        self.picks.append((self.spent, int(self.table.sizes[number]), truth))

    def error(self, score: float) -> float:
        """How far a score stays from the target; at most 0 where it reaches it."""
        return self._sign * (self.target - score)

    def alone(self, number: int, score: float) -> float:
        """Size and target as one number to minimise."""
        missing = self.error(score)
        return math.log10(self.table.sizes[number]) + (MISSED + missing if missing > 0 else 0)

    @property
    def _sign(self) -> float:
        return 1.0 if self.table.metric.higher_is_better else -1.0

    def _run(
        self, number: int, seed: int, report: Callable[[int, float], bool] | None = None
    ) -> tuple[float, int]:
        curve = self.table.validation[number, seed]
        scores = (curve + np.roll(curve, 1)) / 2 if self.ours else curve
        best, at = -math.inf, 0
        for epoch in range(int(self.ours), len(curve)):
            value = self._sign * float(scores[epoch])
            if value > best:
                best, at = value, epoch
            if report is not None and report(epoch, self._sign * value):
                break
            if epoch - at >= PATIENCE:
                break
        self.spent += epoch + 1
        return self._sign * best, at

    def _reaches(self, score: float) -> bool:
        return self.table.metric.reaches(score, self.target)


def by_optuna(
    make: Callable[[int], optuna.samplers.BaseSampler], *, prune: bool = False
) -> Callable[[Player], None]:
    """A study that minimises the size under a constraint, or both in one where it prunes."""

    def play(player: Player) -> None:
        epochs = player.table.task.epochs
        pruner: Any = optuna.pruners.NopPruner()
        if prune:
            pruner = optuna.pruners.HyperbandPruner(2, epochs)
        study = optuna.create_study(sampler=make(player.seed), pruner=pruner)
        while not player.over:
            trial = study.ask()
            number = _number(player, SuggestedHyperParameters(trial))
            if not prune:
                score = player.train(number)
                trial.set_constraint("target", player.error(score))
                study.tell(trial, math.log10(player.table.sizes[number]))
                continue
            pruned = _Pruned(player, trial, number)
            score = player.train(number, pruned)
            if pruned.ended:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, player.alone(number, score))

    return play


def at_random(player: Player) -> None:
    """Our gate and our stops without our sampler: what cannot be smaller is not trained."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=player.seed))
    idle = 0
    while not player.over and idle < HOPELESS:
        number = _number(player, SuggestedHyperParameters(study.ask()))
        if player.picks and player.table.sizes[number] >= player.picks[-1][1]:
            idle += 1
            continue
        idle = 0
        player.train_with_stops(number)


@dataclass
class _Pruned:
    player: Player
    trial: optuna.Trial
    number: int
    ended: bool = False

    def __call__(self, epoch: int, score: float) -> bool:
        self.trial.report(self.player.alone(self.number, score), epoch)
        self.ended = self.trial.should_prune()
        return self.ended


def by_keras_tuner(make: Callable[..., Any]) -> Callable[[Player], None]:
    """An oracle that minimises both in one number; what Hyperband trains on is not paid again."""

    def play(player: Player) -> None:
        space = keras_tuner.HyperParameters()
        for given in player.table.configurations:
            hp = keras_tuner.HyperParameters()
            hp.values = dict(given)
            player.table.build(hp)
            space.merge(hp.space, overwrite=False)
        oracle = make(player, space)
        oracle.verbose = 0
        oracle.save = oracle._save_trial = lambda *_: None  # nothing is kept
        at: dict[str, tuple[int, int]] = {}  # of Hyperband's trials: configuration, seed
        while not player.over:
            trial = oracle.create_trial("one")
            if trial.status != "RUNNING":
                return
            values = trial.hyperparameters.values
            number = _number(player, trial.hyperparameters)
            if "tuner/epochs" in values:
                score = _rung(player, number, values, at, trial.trial_id)
            else:
                score = player.train(number)
            oracle.update_trial(trial.trial_id, {"value": player.alone(number, score)})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)

    return play


def _rung(
    player: Player, number: int, values: dict[str, Any], at: dict[str, Any], name: str
) -> float:
    """Train on from where an earlier rung has ended, with its seed."""
    earlier = at.get(str(values.get("tuner/trial_id")))
    seed = earlier[1] if earlier else int(player.seeds.integers(SEEDS))
    at[name] = number, seed
    start, end = int(values.get("tuner/initial_epoch", 0)), int(values["tuner/epochs"])
    player.spent += end - start
    curve = player.table.validation[number, seed, :end]
    scores = np.convolve(curve, [0.5, 0.5], "valid") if player.ours and end > 1 else curve
    sign = player._sign
    best = int(np.argmax(sign * scores))
    score, epoch = float(scores[best]), best + len(curve) - len(scores)
    size = int(player.table.sizes[number])
    smaller = not player.picks or size < player.picks[-1][1]
    if smaller and player._reaches(score):
        player.take(number, seed, epoch)
    return score


def _number(player: Player, hp: Any) -> int:
    return player.table.numbered(hp)


def _hyperband(player: Player, space: Any) -> Any:
    return keras_tuner.oracles.HyperbandOracle(
        keras_tuner.Objective("value", "min"),
        max_epochs=player.table.task.epochs,
        hyperband_iterations=100,
        seed=player.seed,
        hyperparameters=space,
    )


class _Unchecked(sklearn.gaussian_process.GaussianProcessRegressor):  # type: ignore[misc]
    """The same predictions without checks of their input, which take most of the time."""

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        if not (return_std and hasattr(self, "X_train_")):
            return super().predict(X, return_std, return_cov)
        cross = self.kernel_(X, self.X_train_)
        solved = scipy.linalg.solve_triangular(self.L_, cross.T, lower=True, check_finite=False)
        variance = self.kernel_.diag(X) - np.einsum("ij,ji->i", solved.T, solved)
        mean = self._y_train_std * (cross @ self.alpha_) + self._y_train_mean
        return mean, np.sqrt(np.maximum(variance, 0.0) * self._y_train_std**2)


def _bayesian(player: Player, space: Any) -> Any:
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        keras_tuner.Objective("value", "min"),
        max_trials=10**6,
        seed=player.seed,
        hyperparameters=space,
    )
    oracle.gpr = _Unchecked(**oracle.gpr.get_params(deep=False))
    return oracle


def play(name: str, table: Table, seed: int, budget: int, *, ours: bool) -> Player:
    """One search by a rival."""
    player = Player(table, seed, budget, ours)
    RIVALS[name](player)
    return player


def _samplers() -> Iterator[tuple[str, Callable[[Player], None]]]:
    of = optuna.samplers
    yield STOPPED, at_random
    yield "Optuna random", by_optuna(lambda seed: of.RandomSampler(seed=seed))
    yield "Optuna TPE", by_optuna(lambda seed: of.TPESampler(seed=seed))
    yield "Optuna TPE + Hyperband", by_optuna(lambda seed: of.TPESampler(seed=seed), prune=True)
    yield "Optuna NSGA-II", by_optuna(lambda seed: of.NSGAIISampler(seed=seed, population_size=20))
    yield "Optuna GP", by_optuna(lambda seed: of.GPSampler(seed=seed))
    yield "KerasTuner Hyperband", by_keras_tuner(_hyperband)
    yield "KerasTuner Bayesian", by_keras_tuner(_bayesian)


RIVALS = dict(_samplers())
