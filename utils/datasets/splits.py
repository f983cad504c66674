"""What every data set consists of: three splits that share nothing, and streams of random numbers that never meet."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from utils import sky

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """One part of a data set. What it does not have is None.

    images : (n, size, size, bands) float32
    labels : (n,) integers into ``class_names``
    truth : (n,) structured array, one row an image; of images with many objects one row an object
    segmentation : (n, size, size) int16, label of the object that owns a pixel, or 0
    unlabelled : (n, size, size) bool, light of which nobody said what it is
    """

    images: np.ndarray
    labels: np.ndarray | None
    truth: np.ndarray
    segmentation: np.ndarray | None = None
    unlabelled: np.ndarray | None = None


PARTS = tuple(field.name for field in dataclasses.fields(Split))


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


def check_simulated(survey, n_train, n_validation, n_test, size, seed):
    """A ValueError unless the options of all simulated sets are in order."""
    for key, value in (("n_train", n_train), ("n_validation", n_validation), ("n_test", n_test), ("seed", seed)):
        check_whole(key, value, 0)
    check_whole("size", size, 8)
    if not isinstance(survey, str) or survey not in sky.SURVEYS:
        raise ValueError(f"survey must be one of {', '.join(sky.SURVEYS)}; got {survey!r}")


def check_sigmas(name, value):
    """A ValueError unless an option is a positive number of sky sigmas."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value > 0:
        raise ValueError(f"{name} must be a positive number of sky sigmas, got {value!r}")
