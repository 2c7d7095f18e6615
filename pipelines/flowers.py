"""Photos of five flowers: a small network of its own, or the first blocks of a MobileNetV2.

500 photos of TensorFlow's flower set (100 each of daisies, dandelions, roses, sunflowers, tulips)
in `flower_photos/`, one folder a class, made 64 x 64 pixels. Half train, 30 % validate, 20 % test.
MobileNetV2 is searched where Keras's cache holds its weights; nothing is downloaded.
Target: 40 % accuracy on so few images, where chance is 20 % and a linear model of 61,445
parameters reaches 41 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from occam.pipelines.own.images import as_pixels, read_folder
from occam.search.pipeline import Data, Pipeline, data_file
from occam.spaces.convnet import convnet
from occam.spaces.transfer import transfer, weights_file
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer

if TYPE_CHECKING:
    import keras
    from keras_tuner import HyperParameters

SHAPE = (64, 64, 3)
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def data() -> Data:
    x, y, _ = read_folder(data_file("flower_photos"), size=SHAPE[:2], classes=CLASSES)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.375, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


def preprocessing(data: Data) -> Data:
    return data.transformed(FunctionTransformer(as_pixels, kw_args={"shape": SHAPE}).transform)


def families(classes: int) -> dict:
    """Networks for pixels of 0 to 255; the transferred one where its weights are there."""
    options = {"filters": (2, 24), "blocks": (2, 4), "value_range": (0, 255), "scale": 1 / 255}
    options |= {"optimizers": ("adam", "nadam", "adamw"), "learning_rate": (1e-3, 3e-2)}
    own = {"convolutional": convnet(SHAPE, classes, heads=("global_average",), **options)}
    try:
        weights_file("0.35")
    except FileNotFoundError:
        return own
    return {**own, "transfer": transfer(SHAPE, classes, widths=("0.35",))}


FAMILIES = families(len(CLASSES))


def space(hp: HyperParameters) -> keras.Model:
    return FAMILIES[hp.Choice("family", list(FAMILIES))](hp)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=space,
    target=0.40,
    epochs=60,
    classes=CLASSES,
)
