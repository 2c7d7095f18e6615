"""Handwritten digits from noise: the smallest generator whose images a judge recognizes.

MNIST's images as in mnist_dense.py: 20,000 to learn from, 2,000 rows of 16 numbers of noise to
validate and to test; see `spaces/adversarial.py` for the discriminator, which is not deployed.
The judge is fixed: Gaussian classes over 30 principal components of real digits. The score is the
share of images that it is sure of and that lie where real ones do, times how evenly they are spread
over the ten digits (entropy; 1 is even). Target: 0.40; real test digits score 0.9, noise 0. The
smallest generators that reach it draw coarse shapes: a higher --target asks for finer ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from occam.pipelines.mnist_dense import read, scale
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.adversarial import adversarial
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

NOISE = 16
CONFIDENCE = 0.9  # of the judge in one class
TYPICAL = 0.99  # share of real images that are as near to their class and to the components


def data() -> Data:
    (images, _), (test, _) = read()
    rng = np.random.default_rng(0)
    parts = (images[:20_000], images[20_000:22_000], test[:2_000])
    return Data(*((noise(rng, len(part)), flat(part)) for part in parts))


def noise(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.standard_normal((rows, NOISE)).astype("float32")


def flat(images: np.ndarray) -> np.ndarray:
    return scale(images).reshape(len(images), -1)


def preprocessing(data: Data) -> Data:
    return data.transformed(as_noise)


def as_noise(rows: Any) -> np.ndarray:
    rows = np.asarray(rows, dtype="float32")
    if rows.shape[1:] != (NOISE,):
        raise InputError(f"Rows of {NOISE} numbers of noise are needed, received {rows.shape}.")
    return rows


@dataclass(frozen=True)
class Judge:
    """A classifier of real digits that also knows how far from them an image is."""

    components: PCA
    classes: QuadraticDiscriminantAnalysis
    residual: float
    likelihood: float

    def describe(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each image: probabilities of the classes, how likely it is, what components miss."""
        codes = self.components.transform(images)
        likelihoods = self.classes.decision_function(codes)
        probabilities = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        missed = np.mean((self.components.inverse_transform(codes) - images) ** 2, axis=1)
        return probabilities, likelihoods.max(axis=1), missed


@functools.cache
def judge() -> Judge:
    (images, labels), _ = read()
    real = flat(images[:10_000])
    components = PCA(30, svd_solver="covariance_eigh").fit(real)
    classes = QuadraticDiscriminantAnalysis(reg_param=0.01)
    classes.fit(components.transform(real), labels[:10_000])
    _, likely, missed = Judge(components, classes, np.inf, -np.inf).describe(real)
    return Judge(
        components, classes, np.quantile(missed, TYPICAL), np.quantile(likely, 1 - TYPICAL)
    )


def recognized(real: np.ndarray, images: np.ndarray) -> float:
    """The score of generated images, 0 to 1; the real ones beside them are not looked at."""
    known = judge()
    probabilities, likely, missed = known.describe(np.asarray(images).reshape(len(images), -1))
    sure = probabilities.max(axis=1) >= CONFIDENCE
    sure &= (likely >= known.likelihood) & (missed <= known.residual)
    if not sure.any():
        return 0.0
    shares = np.bincount(probabilities[sure].argmax(axis=1), minlength=10) / sure.sum()
    shares = shares[shares > 0]
    evenness = np.sum(shares * np.log(1 / shares)) / np.log(10)
    return float(sure.mean() * evenness)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=adversarial((NOISE,), (28, 28, 1)),
    target=0.40,
    metric="occam.pipelines.mnist_gan:recognized",
    epochs=40,
    smallest_known=1_765,
)
