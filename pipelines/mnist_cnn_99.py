"""MNIST at 99 %: convolutions again, with the epochs and a learning rate that the last errors take.

The data and splits of mnist_dense.py: 50,000 images train, 10,000 validate, the official 10,000
test. The learning rate falls from epoch to epoch, as a constant one keeps the last errors moving.
"""

from __future__ import annotations

from occam.pipelines.mnist_dense import SHAPE, data, preprocessing
from occam.search.pipeline import Pipeline
from occam.spaces.convnet import convnet

pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=convnet(
        SHAPE,
        10,
        filters=(4, 24),
        blocks=(2, 3),
        heads=("flatten", "global_average"),
        optimizers=("adam", "nadam", "adamw"),
        learning_rate=(2e-3, 3e-2),
        batch_sizes=(128, 64),
        decays=(0.8, 0.9),
        rows=50_000,
    ),
    target=0.99,
    epochs=20,
    batch_size=128,
    smallest_known=10_477,
)
