"""Named data sets: simulated ones made here and now, real ones from packages or the network.

>>> from utils import datasets
>>> data = datasets.load("morphology", n_train=8, n_validation=4, n_test=4, size=32)
>>> data.train.images.shape, data.train.labels.dtype.kind
((8, 32, 32, 3), 'i')
>>> data.class_names
('elliptical', 'spiral', 'edge-on', 'irregular')

Each has a module of its name: its ``describe`` lists the options, checks them and tells what is known of the data, its
``make`` makes the arrays. What was made once is kept in ``data/cache`` (or the folder named by ``$COURSE_CACHE``) and
read from there the next time. The name of a cache file holds a hash of the options and one of the code, so that nothing
stale is read.
"""

import inspect

from utils.datasets import fields, galaxy10, hsc, hubble, morphology, surveys
from utils.datasets.cache import cache_folder, cached
from utils.datasets.network import DownloadError, fetch
from utils.datasets.splits import PARTS, SPLITS, Dataset, Split, stream

__all__ = ["SPLITS", "Dataset", "DownloadError", "Split", "cache_folder", "fetch", "load", "stream"]

_SETS = {
    "morphology": morphology,
    "surveys": surveys,
    "fields": fields,
    "hubble": hubble,
    "hsc": hsc,
    "galaxy10": galaxy10,
}


def load(name, **options):
    """A data set by its name.

    Parameters
    ----------
    name : str
        ``morphology``, ``surveys``, ``fields``, ``hubble``, ``hsc`` or ``galaxy10``.
    **options
        Those of ``describe`` in the module of that name.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        For an unknown name or option, or a value that makes no sense; the text lists what is accepted.
    DownloadError
        Where data over the network cannot be had.
    """
    if name not in _SETS:
        raise ValueError(f"unknown data set {name!r}; there are {', '.join(_SETS)}")
    module = _SETS[name]
    options = _complete(name, module.describe, options)
    about = module.describe(**options)
    arrays = cached(name, module, options)
    splits = [Split(**{part: arrays.get(f"{split}_{part}") for part in PARTS}) for split in SPLITS]
    return Dataset(*splits, **about)


def _complete(name, describe, options):
    """The options with their defaults; an unknown one is refused."""
    accepted = {key: parameter.default for key, parameter in inspect.signature(describe).parameters.items()}
    unknown = [key for key in options if key not in accepted]
    if unknown:
        known = ", ".join(f"{key}={value!r}" for key, value in accepted.items())
        raise ValueError(f"{name} has no option {', '.join(map(repr, unknown))}; it has {known}")
    return {**accepted, **options}
