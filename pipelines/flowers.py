"""Photos of five flowers: a small network of its own, or the first blocks of a MobileNetV2.

500 photos of TensorFlow's flower set (100 each of daisies, dandelions, roses, sunflowers, tulips)
in `flower_photos/`, one folder a class, made 64 x 64 pixels. Half train, 30 % validate, 20 % test.
MobileNetV2 is searched where Keras's cache holds its weights; nothing is downloaded.
Target: 40 % accuracy on so few images, where chance is 20 % and a linear model of 61,445
parameters reaches 41 %.
"""

from __future__ import annotations

from occam.pipelines.own.images import as_pixels, read_folder
from occam.pipelines.own.photos import image_space
from occam.search.pipeline import Data, Pipeline, data_file
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer

SHAPE = (64, 64, 3)
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def data() -> Data:
    x, y, _ = read_folder(data_file("flower_photos"), shape=SHAPE, classes=CLASSES)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.375, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


def preprocessing(data: Data) -> Data:
    return data.transformed(FunctionTransformer(as_pixels, kw_args={"shape": SHAPE}).transform)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=image_space(SHAPE, len(CLASSES), scale=1 / 255),
    target=0.40,
    epochs=60,
    classes=CLASSES,
    smallest_known=155,
)
