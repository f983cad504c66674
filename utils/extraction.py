"""Source extraction as astronomers do it without a network: SExtractor's method (SEP) and photutils.

Both find pixels above a threshold in the smoothed image, join neighbours to objects, cut objects apart where several
peaks hang together (deblending), and measure. Both answer in one form, :class:`Sources`.

SExtractor: Bertin & Arnouts 1996, A&AS 117, 393; SEP: Barbary 2016, JOSS 1, 58; photutils: Bradley et al.,
photutils.readthedocs.io. Deblending of photutils: the tree of thresholds of SExtractor, then a watershed.

>>> import numpy as np
>>> from utils import extraction
>>> y, x = np.mgrid[:40, :60]
>>> image = 20 * np.exp(-((x - 20) ** 2 + (y - 15) ** 2) / 18)
>>> found = extraction.sep_sources(image)
>>> len(found.table), found.table["x"].round(1).tolist(), found.table["y"].round(1).tolist()
(1, [20.0], [15.0])
"""

import warnings
from typing import NamedTuple

import numpy as np

TABLE = np.dtype(
    [
        ("x", "f8"),  # centre of light [pixels; the middle of the first pixel is 0]
        ("y", "f8"),
        ("x0", "i4"),  # box of the object's pixels: x0 <= x < x1, y0 <= y < y1
        ("y0", "i4"),
        ("x1", "i4"),
        ("y1", "i4"),
        ("area", "i4"),  # pixels
        ("flux", "f8"),  # sum over the object's own pixels ("isophotal")
        ("kron_flux", "f8"),  # sum within an ellipse of 2.5 Kron radii, pixels of other objects left out or mended
    ]
)
KERNEL = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])  # SExtractor's default
SMALLEST = 3.5 / 2  # radius of the smallest Kron aperture [pixels], as in SExtractor's manual


class Sources(NamedTuple):
    """What was found: a row for each object, and who owns each pixel (0: the sky; k: row k - 1)."""

    table: np.ndarray
    segmentation: np.ndarray


def sep_sources(image, threshold=1.5, minimum_area=5, contrast=0.005):
    """Objects that SExtractor's method finds, by SEP, with SExtractor's default settings.

    Parameters
    ----------
    image : (height, width) array
        In units of the sky noise, the sky subtracted. Values that are not finite are masked.
    threshold : float
        That the smoothed image has to exceed, in units of the sky noise before smoothing (as is SExtractor's
        DETECT_THRESH). Smoothing leaves 3/8 of the noise: 1.5 is four times the noise of what is looked at.
    minimum_area : int
        Of an object [pixels].
    contrast : float
        Share of an object's light that a part must have to become an object of its own; 1: nothing is cut apart.

    Returns
    -------
    Sources
        In no particular order; fluxes in the unit of the image.
    """
    import sep

    data, mask = _checked(image, threshold, minimum_area, contrast)
    objects, segmentation = sep.extract(
        data,
        threshold,
        mask=mask,
        minarea=minimum_area,
        filter_kernel=KERNEL,
        deblend_cont=contrast,
        segmentation_map=True,
    )
    table = np.zeros(len(objects), TABLE)
    for column, field, more in (
        ("x", "x", 0),
        ("y", "y", 0),
        ("x0", "xmin", 0),
        ("y0", "ymin", 0),
        ("x1", "xmax", 1),
        ("y1", "ymax", 1),
        ("area", "npix", 0),
        ("flux", "flux", 0),
    ):
        table[column] = objects[field] + more
    if len(table):
        table["kron_flux"] = _kron_flux(data, mask, objects, segmentation)
    return Sources(table, segmentation)


def photutils_sources(image, threshold=1.5, minimum_area=5, contrast=0.001):
    """Objects that photutils finds: threshold, then deblending by a tree of thresholds and a watershed.

    Parameters
    ----------
    image, threshold, minimum_area, contrast
        See :func:`sep_sources`.

    Returns
    -------
    Sources
    """
    from astropy.convolution import convolve
    from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources
    from photutils.utils.exceptions import NoDetectionsWarning

    data, mask = _checked(image, threshold, minimum_area, contrast)
    kernel = KERNEL / KERNEL.sum()
    smooth = convolve(data, kernel, normalize_kernel=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        blends = detect_sources(smooth, threshold, minimum_area, mask=mask)
    if blends is None:
        return Sources(np.zeros(0, TABLE), np.zeros(data.shape, np.int32))
    objects = deblend_sources(smooth, blends, minimum_area, contrast=contrast, progress_bar=False)
    catalogue = SourceCatalog(data, objects, convolved_data=smooth, mask=mask)
    segmentation = objects.data.astype(np.int32)
    table = np.zeros(len(objects.labels), TABLE)
    for row, (down, right) in zip(table, objects.slices, strict=True):
        row["x0"], row["x1"], row["y0"], row["y1"] = right.start, right.stop, down.start, down.stop
    table["x"], table["y"] = np.transpose(catalogue.centroid)
    table["area"] = np.bincount(segmentation.ravel(), minlength=len(table) + 1)[1:]
    table["flux"], table["kron_flux"] = catalogue.segment_flux, catalogue.kron_flux
    return Sources(table, segmentation)


def _checked(image, threshold, minimum_area, contrast):
    """Data as the libraries want it, with a mask of what is not finite; a ValueError for what makes no sense."""
    data = np.array(image, np.float64, order="C")
    if data.ndim != 2:
        raise ValueError(f"image must be (height, width), one band or the sum of several; got shape {data.shape}")
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, in units of the sky noise; got {threshold}")
    if minimum_area < 1:
        raise ValueError(f"minimum_area must be at least one pixel, got {minimum_area}")
    if not 0 <= contrast <= 1:
        raise ValueError(f"contrast must be a share of the light, from 0 to 1; got {contrast}")
    mask = ~np.isfinite(data)
    data[mask] = 0
    return data, mask


def _kron_flux(data, mask, objects, segmentation):
    """SExtractor's FLUX_AUTO, as SEP's documentation puts it together."""
    import sep

    own = {"mask": mask, "segmap": segmentation, "seg_id": np.arange(1, len(objects) + 1, dtype=np.int32)}
    x, y, a, b = (objects[name] for name in ("x", "y", "a", "b"))
    theta = np.clip(objects["theta"], -np.pi / 2, np.pi / 2)
    radius, _ = sep.kron_radius(data, x, y, a, b, theta, 6.0, **own)
    radius = np.where(np.isfinite(radius), radius, 0)
    flux, _, _ = sep.sum_ellipse(data, x, y, a, b, theta, 2.5 * radius, subpix=5, **own)
    small = 2.5 * radius * np.sqrt(a * b) < SMALLEST
    least, _, _ = sep.sum_circle(data, x, y, SMALLEST, subpix=5, **own)
    return np.where(small, least, flux)
