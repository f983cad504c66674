"""Fields with many sources: a population like that of the real sky, and images with each object's share known."""

from dataclasses import dataclass

import numpy as np

from utils.sky import profiles
from utils.sky.galaxies import check_limits, draw_galaxies, empty_truth
from utils.sky.images import add_noise, render
from utils.sky.surveys import colour_weight

# How many there are [per square arcmin and magnitude], by i magnitude. Galaxies: the slope of log counts lies between
# those measured in I, 0.34 (Tyson 1988, AJ 96, 1) and 0.27 (Smail et al. 1995, ApJ 449, L105); their number is that of
# the data set "hsc". Stars: as many at each magnitude, their number as there.
GALAXIES_AT_24, SLOPE = 14.0, 0.31
STARS = 0.6
FRACTIONS = {"elliptical": 0.15, "spiral": 0.45, "edge-on": 0.15, "irregular": 0.25}
MARGIN = 2.0  # objects are drawn so far beyond the edge of a field [arcsec]
COLOURS = ("colour_old", "colour_disc", "colour_young")
POINT = 0.004  # half-light radius of a star where one is asked for [arcsec]

THRESHOLD = 1.5  # an object's pixels are those where its light in the detection image exceeds so many sky sigmas
FAINTEST = 0.02  # stamps end where an object's light in the detection image is below so many sky sigmas
SIDES = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # of stamps [pixels]

# What can be said of an object in an image. x, y: centre [pixels; 0 is the middle of the first pixel].
OBJECTS = np.dtype(
    [
        ("field", "i4"),  # number of the image
        ("label", "i4"),  # value of its pixels in the segmentation map
        ("kind", "U10"),
        ("magnitude", "f4"),  # in i
        ("x", "f4"),
        ("y", "f4"),
        ("box", "i4", 4),  # x0, y0, x1, y1: first column and row of its pixels, and the first ones behind them
        ("area", "i4"),  # number of its pixels
        ("flux", "f4", 3),  # in each band, in units of the survey's zero point
        ("blendedness", "f4"),  # 0: alone; towards 1: its pixels shine with others' light
    ]
)


@dataclass(frozen=True)
class Field:
    """An image of a field, and what each object adds to it.

    image : (size, size, bands) float32, in units of the sky noise
    light : (size, size, bands) float32, the same without noise: the sum of all contributions
    segmentation : (size, size) int16, row + 1 of the object with most light in a pixel, above the threshold; else 0
    objects : (n,) structured array with the columns of ``OBJECTS``; box and area are those of ``mask``
    stamps : list of (side, side, bands) float32, each object's own light; sides differ, and they may reach beyond the
        edge of the field
    corners : (n, 2) int, row and column of the field at which a stamp's first pixel lies
    threshold : float, of the masks
    """

    image: np.ndarray
    light: np.ndarray
    segmentation: np.ndarray
    objects: np.ndarray
    stamps: list
    corners: np.ndarray
    threshold: float

    def contribution(self, row):
        """(size, size, bands) float32 light of one object alone."""
        whole = np.zeros_like(self.light)
        here, there = _overlap(self.corners[row], len(self.stamps[row]), len(whole))
        whole[here] = self.stamps[row][there]
        return whole

    def mask(self, row):
        """(size, size) bool: where the object's own light in the detection image exceeds the threshold.

        Masks may overlap; the segmentation map says who shines most.
        """
        return detection(self.contribution(row)) > self.threshold


def detection(image):
    """Sum of the bands over the root of their number: an image whose sky noise is one if that of each band is.

    Parameters
    ----------
    image : (..., bands) array
        In units of the sky noise.

    Returns
    -------
    (...) array

    Examples
    --------
    >>> float(detection(np.array([3.0, 0.0, 0.0, 1.0])))
    2.0
    """
    return image.sum(axis=-1) / np.sqrt(image.shape[-1], dtype=np.float32)


def draw_field(size, survey, rng, magnitude=(18.0, 26.0)):
    """Draw the stars and galaxies of a square field: numbers, sizes and colours about as on the real sky.

    Numbers are Poisson deviates around the mean counts; places are independent of each other (real galaxies cluster).
    Some objects lie beyond the edge, as far as ``MARGIN``, and shine into the field.

    Parameters
    ----------
    size : int
        Side of the field [pixels].
    survey : Survey
        Its pixel scale says how large the field is on the sky.
    rng : numpy.random.Generator
    magnitude : (float, float)
        Bright and faint limit of the i magnitude.

    Returns
    -------
    (n,) structured array with the columns of ``TRUTH``
        Kind is one of ``KINDS``, or ``star``. Positions are from the middle of the field. ``magnitude`` is in r, as
        always in that table.

    Raises
    ------
    ValueError
        For limits in the wrong order or a size that makes no field.

    References
    ----------
    Tyson 1988, AJ 96, 1; Smail et al. 1995, ApJ 449, L105 (counts). Sizes and colours are set by those on the HSC tile.

    Examples
    --------
    >>> from utils.sky import SURVEYS
    >>> truth = draw_field(128, SURVEYS["HSC tile"], np.random.default_rng(0))
    >>> len(truth), bool(np.abs(truth["x_arcsec"]).max() < 0.168 * 64 + MARGIN)
    (16, True)
    """
    bright, faint = check_limits(magnitude)
    if size < 1:
        raise ValueError(f"size must be at least one pixel, got {size}")
    half = size * survey.pixel_scale / 2 + MARGIN
    area = (2 * half / 60) ** 2
    low, high = (10 ** (SLOPE * (limit - 24)) for limit in (bright, faint))
    galaxies = rng.poisson(area * GALAXIES_AT_24 * (high - low) / (SLOPE * np.log(10)))
    stars = rng.poisson(area * STARS * (faint - bright))
    i_magnitude = np.log10(rng.uniform(low, high, galaxies)) / SLOPE + 24
    truth = np.concatenate([draw_population(i_magnitude, rng), _stars(rng.uniform(bright, faint, stars), rng)])
    truth["x_arcsec"], truth["y_arcsec"] = rng.uniform(-half, half, (2, len(truth)))
    return rng.permutation(truth)


def draw_population(magnitude, rng):
    """Draw galaxies of given magnitudes with kinds, sizes and colours about as on the real sky.

    The fainter, the smaller and the bluer. Half-light radii scatter by 0.15 dex around 0.74" at magnitude 22.

    Parameters
    ----------
    magnitude : (n,) array
        In i.
    rng : numpy.random.Generator

    Returns
    -------
    (n,) structured array with the columns of ``TRUTH``
        All in the middle.

    Examples
    --------
    >>> truth = draw_population(np.array([20.0, 24.0]), np.random.default_rng(0))
    >>> bool(truth["radius_arcsec"][0] > truth["radius_arcsec"][1])
    True
    """
    magnitude = np.asarray(magnitude, float)
    n = len(magnitude)
    kinds = rng.choice(list(FRACTIONS), max(n, 1), p=list(FRACTIONS.values()))
    truth = draw_galaxies(n, rng, kinds=kinds.tolist(), magnitude=(20, 20))
    radius = 10 ** (-0.13 - 0.14 * (magnitude - 22) + rng.normal(0, 0.15, n))
    _resize(truth, radius / truth["radius_arcsec"])
    redder = rng.exponential(0.38, n) - 0.15 - 0.075 * (magnitude - 22)  # redshift: a tail of red ones
    for name in COLOURS:
        truth[name] += redder
    truth["magnitude"] = magnitude + 0.5 * truth["colour_disc"]  # a colour g - r is worth half of it in r - i
    truth["x_arcsec"] = truth["y_arcsec"] = 0
    return truth


def render_field(truth, survey, size, rng=None, threshold=THRESHOLD):
    """Picture one field; see ``render_fields``, which does the same for many at once.

    Examples
    --------
    >>> from utils.sky import SURVEYS
    >>> truth = empty_truth(2)
    >>> truth["x_arcsec"] = -3, 3
    >>> field = render_field(truth, SURVEYS["HSC tile"], 64)
    >>> field.image.shape, np.unique(field.segmentation).tolist()
    ((64, 64, 3), [0, 1, 2])
    """
    return render_fields([truth], survey, size, rng, threshold)[0]


def render_fields(truths, survey, size, rng=None, threshold=THRESHOLD):
    """Picture fields of many objects, and keep what each object adds.

    Each galaxy is drawn by ``render``, each star as the PSF, in a stamp that is as large as the light asks for: at its
    edge the light is below ``FAINTEST`` sky sigmas in the detection image, unless the largest stamp is too small for
    that. Stamps of the same size are drawn together, whichever field they belong to.

    Parameters
    ----------
    truths : sequence of structured arrays with the columns of ``TRUTH``
        One table a field. Positions are from the middle of the field.
    survey : Survey
    size : int
        Side of the fields [pixels].
    rng : numpy.random.Generator, optional
        Source of the noise: of the sky, and of all the light. None: no noise.
    threshold : float
        A pixel belongs to an object's mask where the object's own light in the detection image exceeds so many sky
        sigmas.

    Returns
    -------
    list of Field

    Raises
    ------
    ValueError
        As ``render``; for a threshold that is not positive.
    """
    if size < 1:
        raise ValueError(f"size must be at least one pixel, got {size}")
    if not threshold > 0:
        raise ValueError(f"threshold must be a positive number of sky sigmas, got {threshold}")
    ends = np.cumsum([len(truth) for truth in truths])
    table = np.concatenate(truths) if len(truths) else empty_truth(0)
    stamps, corners = _stamps(table, survey, size)
    fields = []
    for number, (truth, end) in enumerate(zip(truths, ends, strict=True)):
        mine = slice(end - len(truth), end)
        fields.append(_compose(number, truth, stamps[mine], corners[mine], survey, size, rng, threshold))
    return fields


def _compose(number, truth, stamps, corners, survey, size, rng, threshold):
    """One field, from the stamps of its objects."""
    light = np.zeros((size, size, len(survey.bands)), np.float32)
    segmentation = np.zeros((size, size), np.int16)
    most = np.full((size, size), threshold, np.float32)
    objects = np.zeros(len(truth), OBJECTS)
    objects["field"], objects["label"], objects["kind"] = number, np.arange(1, len(truth) + 1), truth["kind"]
    objects["x"], objects["y"] = (
        (size - 1) / 2 + truth[name] / survey.pixel_scale for name in ("x_arcsec", "y_arcsec")
    )
    places = [_overlap(corner, len(stamp), size) for stamp, corner in zip(stamps, corners, strict=True)]
    own = [detection(stamp[there]) for stamp, (_, there) in zip(stamps, places, strict=True)]
    for row, stamp, (here, there), shine in zip(objects, stamps, places, own, strict=True):
        light[here] += stamp[there]
        segmentation[here][shine > most[here]] = row["label"]
        np.maximum(most[here], shine, out=most[here])
        row["flux"] = stamp.sum(axis=(0, 1), dtype=float) * survey.sky_noise
        rows, columns = np.nonzero(shine > threshold)
        row["area"] = len(rows)
        if len(rows):
            x, y = here[1].start, here[0].start
            row["box"] = x + columns.min(), y + rows.min(), x + columns.max() + 1, y + rows.max() + 1
    everything = detection(light)
    for row, (here, _), shine in zip(objects, places, own, strict=True):
        shared = np.sum(shine * everything[here], dtype=float)
        row["blendedness"] = 1 - np.sum(shine * shine, dtype=float) / shared if shared > 0 else 0
    with np.errstate(divide="ignore"):
        objects["magnitude"] = survey.zero_point - 2.5 * np.log10(objects["flux"][:, survey.nearest_band(770)])
    image = light.copy()
    if rng is not None:
        add_noise(image, survey, rng)
    return Field(image, light, segmentation, objects, stamps, corners, threshold)


def _stamps(truth, survey, size):
    """Noise-free stamps, each of the side its object needs, and the pixel of the field where each begins."""
    place = np.stack([truth["y_arcsec"], truth["x_arcsec"]], axis=1).astype(float) / survey.pixel_scale
    side = np.array(SIDES)[_reach(truth, survey)]
    corners = np.rint(place + (size - side[:, None]) / 2).astype(int)
    inner = truth.copy()
    left = place + (size - side[:, None]) / 2 - corners
    inner["y_arcsec"], inner["x_arcsec"] = (left * survey.pixel_scale).T
    stamps = [None] * len(truth)
    star = truth["kind"] == "star"
    for pixels in np.unique(side):
        rows = np.flatnonzero((side == pixels) & ~star)
        for row, stamp in zip(rows, render(inner[rows], survey, int(pixels), chunk=_chunk(pixels)), strict=True):
            stamps[row] = stamp
    for row in np.flatnonzero(star):
        stamps[row] = _point(inner[row], survey, side[row])
    return stamps, corners


def _point(star, survey, side):
    """(side, side, bands) light of a star: the PSF, integrated over each pixel by Gauss's three nodes along x and y."""
    nodes, weights = np.polynomial.legendre.leggauss(3)
    at = (np.arange(side)[:, None] - (side - 1) / 2 + nodes / 2) * survey.pixel_scale
    y, x = at - star["y_arcsec"], at - star["x_arcsec"]
    distance = np.hypot(y[:, :, None, None], x)
    share = weights / 2 * survey.pixel_scale
    stamp = np.empty((side, side, len(survey.bands)), np.float32)
    for band, (fwhm, weight) in enumerate(zip(survey.psf_fwhm, colour_weight(survey), strict=True)):
        flux = survey.flux(float(star["magnitude"] + weight * star["colour_old"])) / survey.sky_noise[band]
        profile = profiles.moffat(distance, fwhm, survey.psf_beta)
        stamp[..., band] = flux * np.einsum("aibj,i,j->ab", profile, share, share)
    return stamp


def _chunk(side):
    """How many stamps to draw at a time: about as much memory for each size."""
    return int(np.clip((256 / side) ** 2, 1, 64))


def _reach(truth, survey):
    """(n,) index into SIDES of the smallest stamp at whose edge an object has no light that counts.

    An upper limit of its surface brightness along the major axis: profiles moved outwards by the width of the PSF and
    by the distance of clumps and companion, and the wings of the PSF around all the light.
    """
    width = max(survey.psf_fwhm)
    distance = np.array(SIDES) / 2 * survey.pixel_scale
    noise = survey.sky_noise[:, None]
    colours = np.stack([truth[name] for name in COLOURS], axis=-1)
    magnitude = truth["magnitude"][:, None]
    flux = [survey.flux(magnitude + weight * colours).max(axis=-1) for weight in colour_weight(survey)]
    total = (np.array(flux) / noise).sum(axis=0) / np.sqrt(len(noise))

    def column(name):
        return truth[name].astype(float)[:, None]

    apart = np.where(column("companion_fraction") > 0, np.hypot(column("companion_x"), column("companion_y")), 0)
    clumps = np.hypot(truth["clump_x"], truth["clump_y"]).max(axis=1, keepdims=True)
    apart = np.maximum(apart, np.where(column("clump_fraction") > 0, clumps, 0))
    inwards = np.maximum(distance - width, 1e-3)
    shape = [column(name) for name in ("bulge_radius_arcsec", "bulge_index", "bulge_axis_ratio")]
    bulge = profiles.sersic(inwards, 0.0, *shape)
    disc = profiles.sersic(np.maximum(inwards - apart, 1e-3), 0.0, column("radius_arcsec"), 1.0, column("axis_ratio"))
    share = column("bulge_fraction")
    wings = profiles.moffat(distance, width, survey.psf_beta)
    brightness = total[:, None] * survey.pixel_scale**2 * (share * bulge + (1 - share) * disc + wings)
    return np.minimum((brightness > FAINTEST).sum(axis=1), len(SIDES) - 1)


def _overlap(corner, side, size):
    """Slices of the field and of a stamp, where both are."""
    start, stop = np.clip(corner, 0, size), np.clip(corner + side, 0, size)
    here = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    there = tuple(slice(int(a), int(b)) for a, b in zip(start - corner, stop - corner, strict=True))
    return here, there


def _resize(truth, factor):
    """Make each galaxy so many times as large, with all its parts, in place."""
    for column in truth.dtype.names:
        if column.endswith("radius_arcsec") or column in ("companion_x", "companion_y"):
            truth[column] *= factor
        elif column in ("clump_x", "clump_y", "clump_size"):
            truth[column] *= factor[:, None]


def _stars(i_magnitude, rng):
    """Points of light: one in three like the Sun, the others red dwarfs."""
    n = len(i_magnitude)
    truth = empty_truth(n)
    truth["kind"] = "star"
    truth["bulge_fraction"], truth["bulge_index"] = 1, 0.5
    truth["radius_arcsec"] = truth["bulge_radius_arcsec"] = POINT
    colour = np.where(rng.random(n) < 0.35, rng.normal(0.4, 0.12, n), rng.normal(1.3, 0.1, n))
    for name in COLOURS:
        truth[name] = colour
    truth["magnitude"] = i_magnitude + 0.5 * colour
    return truth
