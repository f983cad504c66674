"""What several labs do to stamps of galaxies before a network sees them, and which galaxy they show."""

import numpy as np
from skimage.transform import downscale_local_mean


def binned(images, size):
    """Stretch by arcsinh, then average blocks of pixels: small images in which faint light counts.

    Parameters
    ----------
    images : (n, side, side, bands) array
        In units of the sky noise; `side` is a multiple of `size`.
    size : int
        Pixels along a side of the result.

    Returns
    -------
    (n, size, size, bands) array
        Of the same floating-point type.

    Raises
    ------
    ValueError
        Where `images` is no stack of square images whose side is a multiple of `size`.

    Examples
    --------
    >>> binned(np.sinh(np.full((1, 4, 4, 3), 2.0)), 2)[0, :, :, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    shape = np.shape(images)
    if len(shape) != 4 or shape[1] != shape[2] or size < 1 or shape[1] % size:
        raise ValueError(f"images of shape (n, side, side, bands) with a side that {size} divides, not {shape}")
    block = shape[1] // size
    return downscale_local_mean(np.arcsinh(images), (1, block, block, 1))


def large_spiral(split, brighter=18.5):
    """The number of the spiral to show: bright, and of those the largest and roundest on the sky.

    Parameters
    ----------
    split : utils.datasets.Split
        Of the data set "morphology", where the label 1 is a spiral.
    brighter : float
        The faintest magnitude that is bright.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Where `split` has no spiral brighter than that.

    Examples
    --------
    >>> from utils import datasets
    >>> data = datasets.load("morphology", n_train=50, n_validation=8, n_test=8)
    >>> data.class_names[data.train.labels[large_spiral(data.train)]]
    'spiral'
    """
    truth = split.truth
    bright = np.flatnonzero((split.labels == 1) & (truth["magnitude"] < brighter))
    if not len(bright):
        raise ValueError(f"no spiral brighter than magnitude {brighter:g} among {len(truth)} galaxies")
    return int(bright[np.argmax((truth["radius_arcsec"] * truth["axis_ratio"])[bright])])
