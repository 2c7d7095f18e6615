"""Photos of ants or bees: transfer learning's first example, on a few hundred images.

397 photos (the two-class cut of ImageNet known from PyTorch's tutorial) in `hymenoptera_data/`,
made 64 x 64 pixels: half of the folder `train` trains and half validates, `val` is the test split.
MobileNetV2 is searched where Keras's cache holds its weights; nothing is downloaded.
Target: 60 % accuracy, as hardly more can be learned from 122 images without such weights; so few
rows ask for a wide margin: search with `--margin 1`.
"""

from __future__ import annotations

from functools import partial

from occam.pipelines.flowers import SHAPE, preprocessing
from occam.pipelines.own.images import read_folder
from occam.pipelines.own.photos import image_space
from occam.search.pipeline import Data, Pipeline, data_file
from sklearn.model_selection import train_test_split

CLASSES = ("ants", "bees")


def data() -> Data:
    read = partial(read_folder, shape=SHAPE, classes=CLASSES)
    x, y, _ = read(data_file("hymenoptera_data/train"))
    x_test, y_test, _ = read(data_file("hymenoptera_data/val"))
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.5, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=image_space(SHAPE, len(CLASSES), scale=1 / 255),
    target=0.60,
    epochs=60,
    classes=CLASSES,
    smallest_known=65,
)
