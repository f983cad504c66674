"""What every data set consists of: three splits that share nothing, and streams of random numbers that never meet."""

from dataclasses import dataclass

import numpy as np

from utils import sky

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    images : (n, size, size, bands) float32
    labels : (n,) integers into ``class_names``, or None where nobody knows
    truth : (n,) structured array, one row an image
    """

    images: np.ndarray
    labels: np.ndarray | None
    truth: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Three splits that share nothing, and what is known of all. ``survey`` is None where no ``sky.Survey`` fits."""

    train: Split
    validation: Split
    test: Split
    class_names: tuple
    bands: tuple
    survey: sky.Survey | None
    description: str


def stream(seed, name, split):
    """A generator of random numbers that belongs to one split of one data set and meets no other.

    The names are part of the key of NumPy's ``SeedSequence``, which is made to keep streams apart.

    Examples
    --------
    >>> train, test = stream(0, "morphology", "train"), stream(0, "morphology", "test")
    >>> bool(train.random() == test.random())
    False
    """
    key = (len(name), *name.encode(), *split.encode())
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def check_whole(name, value, least):
    """A ValueError unless an option is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
