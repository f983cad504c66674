"""Galaxies of a Hubble deep field, cut out of a display picture."""

import math

import numpy as np

from utils.datasets.splits import check_whole

TRUTH = np.dtype(
    [
        ("x", "f4"),  # centre of light [pixels of the picture]
        ("y", "f4"),
        ("flux", "f4"),  # sum over the object's pixels of the mean of the bands, in units of the sky noise
        ("area", "i4"),  # pixels above the threshold
        ("ellipticity", "f4"),  # 1 - minor / major axis, from second moments
    ]
)


def describe(size=64, threshold=4.0, minimum_area=60):
    """Galaxies of the Hubble eXtreme Deep Field, cut out of the picture that ships with scikit-image. No labels.

    The picture (ACS and WFC3; Illingworth et al. 2013, ApJS 209, 6; about 0.14" per pixel) is an 8-bit display picture,
    not a measurement: its brightness is stretched and cut, its blue, green and red are sums of several filters. A few
    of the objects are stars. All stamps are in ``test``; ``train`` and ``validation`` are empty. Bands are ordered from
    blue to red, the sky subtracted, in units of the sky noise, as in ``morphology``. Stamps are cut at the picture's
    own pixels; what lies beyond its edge is filled with zero, the mean of the sky.

    Parameters
    ----------
    size : int
        Side of a stamp [pixels].
    threshold : float
        A pixel of the smoothed picture belongs to an object above so many times the sky noise.
    minimum_area : int
        Smaller objects are left out [pixels].
    """
    check_whole("size", size, 8)
    check_whole("minimum_area", minimum_area, 1)
    if not (np.isscalar(threshold) and threshold > 0):
        raise ValueError(f"threshold must be a positive number of sky sigmas, got {threshold!r}")
    return {
        "class_names": (),
        "bands": ("blue", "green", "red"),
        "survey": None,
        "description": (
            "Galaxies found in the Hubble eXtreme Deep Field (NASA/ESA, in scikit-image): a display picture, so "
            "brightness is stretched and cut. Bands from blue to red, sky subtracted, in units of the sky noise. "
            "Without labels."
        ),
    }


def make(size, threshold, minimum_area):
    from skimage.data import hubble_deep_field

    picture = hubble_deep_field()[..., ::-1].astype(np.float32)  # red, green, blue -> from blue to red
    pixels = (picture - _sky_level(picture)) / _sky_sigma(picture)
    truth = _detect(pixels.mean(axis=-1), threshold, minimum_area)
    empty = {"images": np.zeros((0, size, size, 3), np.float32), "truth": np.zeros(0, TRUTH)}
    arrays = {f"{split}_{part}": value for split in ("train", "validation") for part, value in empty.items()}
    return {**arrays, "test_images": _cut(pixels, truth, size), "test_truth": truth}


def _sky_level(picture):
    """(bands,) median of each band."""
    return np.median(picture, axis=(0, 1))


def _sky_sigma(picture):
    """(bands,) standard deviation of the sky: that of the pixels below the median, mirrored, which hold no objects."""
    sigmas = []
    for band in np.moveaxis(picture, -1, 0):
        below = band[band <= np.median(band)] - np.median(band)
        sigmas.append(np.sqrt(np.mean(np.square(below))))
    return np.array(sigmas, np.float32)


def _detect(image, threshold, minimum_area):
    """Objects as connected regions above a threshold of the smoothed image, brightest first.

    Where a region has several peaks, a watershed parts it between them.

    Parameters
    ----------
    image : (height, width) array
        The sky at zero.
    threshold : float
        In units of the noise of the smoothed image.
    minimum_area : int
        [pixels]

    Returns
    -------
    (n,) structured array with the columns of ``TRUTH``
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.measure import regionprops
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(image, 1.5)
    above = smooth > threshold * _sky_sigma(smooth[..., None])[0]
    smoother = ndimage.gaussian_filter(image, 3)
    peaks = np.zeros(image.shape, int)
    at = peak_local_max(smoother, min_distance=6, labels=above.astype(int), exclude_border=False)
    peaks[tuple(at.T)] = np.arange(1, len(at) + 1)
    regions = watershed(-smoother, peaks, mask=above)
    rows = []
    for region in regionprops(regions, intensity_image=np.maximum(image, 0)):
        if region.area < minimum_area or region.intensity_mean == 0:
            continue
        y, x = region.centroid_weighted
        ellipticity = 1 - region.axis_minor_length / region.axis_major_length
        rows.append((x, y, region.intensity_mean * region.area, region.area, ellipticity))
    truth = np.array(rows, TRUTH)
    return truth[np.argsort(-truth["flux"])]


def _cut(pixels, truth, size):
    """(n, size, size, bands) stamps around the objects; beyond the edge zero."""
    padded = np.pad(pixels, ((size, size), (size, size), (0, 0)))
    stamps = np.empty((len(truth), size, size, pixels.shape[-1]), np.float32)
    for stamp, row in zip(stamps, truth, strict=True):
        top, left = (math.floor(row[axis] - (size - 1) / 2 + 0.5) + size for axis in ("y", "x"))
        stamp[:] = padded[top : top + size, left : left + size]
    return stamps
