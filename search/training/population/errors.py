"""Why a model cannot be trained in a population."""


class Unsupported(Exception):
    """What of a model has no counterpart here: such a model is trained by `fit`."""
