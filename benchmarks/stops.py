"""What the absolute stops save, and which runs they end that would have reached the target.

    .venv/bin/python benchmarks/stops.py [CONFIGURATIONS]

Trains random digits configurations of fewer than 4,000 parameters to their last epoch, and replays
their curves under the stops for several targets and exponents.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

from occam.search.backend import import_keras, use_backend

use_backend("tensorflow")
import_keras()

from occam.search import stopping  # noqa: E402  # after the backend is chosen
from occam.search.building import build  # noqa: E402
from occam.search.counting import count_build  # noqa: E402
from occam.search.hyperparameters import SuggestedHyperParameters  # noqa: E402
from occam.search.metrics import metric  # noqa: E402
from occam.search.pipeline import load  # noqa: E402
from occam.search.preparation import prepare  # noqa: E402
from occam.search.samplers.pool import Draw, Pool  # noqa: E402
from occam.search.stopping import Stop, Stops  # noqa: E402
from occam.search.training.fit import fit, release  # noqa: E402

EPOCHS, TARGETS, EXPONENTS = 60, (0.93, 0.95, 0.96), (0.55, 0.75, 1.0)


class Never(Stops):
    """Lets every run go to its last epoch."""

    def decide(self, scores):
        return None


def main(configurations: int = 60) -> None:
    curves = full_curves(configurations)
    print("target  exponent  epochs a run  would reach  ended before: cannot reach, plateau")
    for target in TARGETS:
        stops = Stops(metric=metric("accuracy"), search_target=target, epochs=EPOCHS)
        for exponent in EXPONENTS:
            stopping.EXPONENT = exponent
            ends = [replay(stops, curve) for curve in curves]
            lost = Counter(stop for _, stop, reaches in ends if reaches and stop != Stop.REACHED)
            print(
                f"{target:6.2f}  {exponent:8.2f}  {sum(e for e, _, _ in ends) / len(ends):12.1f}"
                f"  {sum(reaches for _, _, reaches in ends):11d}"
                f"  {lost[Stop.CANNOT_REACH]:d}, {lost[Stop.PLATEAU]:d}"
            )


def full_curves(configurations: int) -> list[list[float]]:
    pipeline = load("digits")
    data = prepare(pipeline).data
    read: dict[str, dict] = {}

    def measure(draw: Draw) -> int:
        hp = SuggestedHyperParameters(draw)
        size = count_build(lambda: build(pipeline, hp), data.train[0]).total
        read[repr(sorted(draw.values.items()))] = dict(hp.values)
        return size

    drawn = Pool(measure, seed=1).below(4000, wanted=configurations, most=10 * configurations)
    never = Never(metric=metric("accuracy"), search_target=1.0, epochs=EPOCHS)
    curves = []
    for each in drawn[:configurations]:
        run = fit(
            replace(pipeline, epochs=EPOCHS),
            read[each.key],
            train=data.train,
            validation=data.validation,
            epochs=EPOCHS,
            seed=1,
            stops=never,
        )
        curves.append(run.history["score"])
        release()
    return curves


def replay(stops: Stops, curve: list[float]) -> tuple[int, Stop | None, bool]:
    """Epochs until a stop, the stop, and whether the whole curve reaches."""
    reaches = any(stops.reached(curve[:epoch]) for epoch in range(2, EPOCHS + 1))
    for epoch in range(1, EPOCHS + 1):
        if stop := stops.decide(curve[:epoch]):
            return epoch, stop, reaches
    return EPOCHS, None, reaches


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
