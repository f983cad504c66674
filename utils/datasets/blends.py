"""Simulated pairs of galaxies that overlap on the sky: what is seen is the sum, what is sought are the two."""

import numpy as np

from utils import sky
from utils.datasets.splits import SPLITS, check_limits, check_sigmas, check_simulated, stream
from utils.sky.images import add_noise

NAMES = ("central", "companion")
DIFFERENCE = 2.0  # of magnitudes, at most
APART = 4.0  # separation in radii of the smaller galaxy, at most
EDGE = 8  # the companion's centre stays so far from the edge of the stamp [pixels]
TRUTH = np.dtype(
    [
        ("kind", "U10", 2),
        ("magnitude", "f4", 2),  # in i
        ("radius", "f4", 2),  # half-light radius as it is seen through the PSF [pixels]
        ("x", "f4", 2),  # [pixels; 0 is the middle of the first pixel]
        ("y", "f4", 2),
        ("flux", "f4", (2, 3)),  # of all the galaxy's light in the stamp, in each band, in units of the zero point
        ("separation", "f4"),  # [pixels]
        ("magnitude_difference", "f4"),  # companion minus central: positive where the companion is fainter
        ("overlap", "f4"),  # pixels in both masks over those in the smaller one
        ("blendedness", "f4", 2),  # 0: alone; towards 1: its pixels shine with the other's light
    ]
)


def describe(
    survey="HSC tile",
    n_train=2000,
    n_validation=500,
    n_test=500,
    size=64,
    magnitude=(20.0, 23.5),
    threshold=1.5,
    seed=0,
):
    """Pairs of simulated galaxies that overlap: two isolated ones, added. The one in the middle is the central.

    The pairs follow Boucaud et al. 2020: magnitudes differ by less than 2, and the separation lies between the larger
    of the two radii and 4 times the smaller one (and keeps the companion off the stamp's edge). A radius is the
    half-light radius, widened by the PSF: the root of its square plus that of half the PSF's FWHM.

    - ``images`` (n, size, size, bands), in units of the sky noise, bands from blue to red;
    - ``alone`` (n, 2, size, size, bands) float16: the light of each, central first, without noise;
    - ``masks`` (n, size, size, 2) bool: where the light of each in the detection image exceeds the threshold;
    - ``truth``: kind, magnitude (i), radius, x, y, flux and blendedness, two each; separation, magnitude_difference,
      overlap.

    Parameters
    ----------
    survey : str
        Out of ``sky.SURVEYS``.
    n_train, n_validation, n_test : int
        Number of pairs. No galaxy is in two of them.
    size : int
        Side of a stamp [pixels].
    magnitude : (float, float)
        Bright and faint limit of the i magnitude, uniform between them.
    threshold : float
        In units of the sky noise of the detection image, see ``sky.detection``.
    seed : int

    References
    ----------
    Boucaud et al. 2020, MNRAS 491, 2481.
    """
    check_simulated(survey, n_train, n_validation, n_test, size, seed, least=32)
    check_limits("magnitude", magnitude)
    check_sigmas("threshold", threshold)
    seen_by, (bright, faint) = sky.SURVEYS[survey], magnitude
    return {
        "class_names": NAMES,
        "bands": seen_by.bands,
        "survey": seen_by,
        "description": (
            f"Pairs of simulated galaxies that overlap, as {survey} sees them ({', '.join(seen_by.bands)}; "
            f'{seen_by.pixel_scale}" pixels), i magnitude {bright:.1f} to {faint:.1f}, with the light of each alone. '
            "Pixels in units of the sky noise."
        ),
    }


def make(survey, n_train, n_validation, n_test, size, magnitude, threshold, seed):
    seen_by = sky.SURVEYS[survey]
    arrays = {}
    for split, n in zip(SPLITS, (n_train, n_validation, n_test), strict=True):
        draw, noise = stream(seed, "blends", split).spawn(2)
        pairs = draw_pairs(n, draw, seen_by, size, tuple(magnitude))
        light = sky.render(pairs.ravel(), seen_by, size).reshape(n, 2, size, size, len(seen_by.bands))
        shine = sky.detection(light)
        masks = shine > threshold
        images = light.sum(axis=1)
        add_noise(images, seen_by, noise)
        arrays[f"{split}_images"], arrays[f"{split}_alone"] = images, light.astype(np.float16)
        arrays[f"{split}_masks"] = np.moveaxis(masks, 1, -1)
        arrays[f"{split}_truth"] = _truth(pairs, light, shine, masks, seen_by, size)
    return arrays


def draw_pairs(n, rng, survey, size, magnitude):
    """Truth tables of n pairs that follow the rules of ``describe``, (n, 2); candidates that do not are drawn anew."""
    pairs = np.zeros((n, 2), sky.TRUTH)
    missing = np.arange(n)
    while len(missing):
        i = rng.uniform(*magnitude, (2, len(missing)))
        drawn = np.stack([sky.draw_population(one, rng) for one in i], axis=1)
        radius = _seen_radius(drawn, survey)
        least = radius.max(axis=1)
        most = np.minimum(APART * radius.min(axis=1), size / 2 - EDGE)
        separation = rng.uniform(least, np.maximum(least, most)) * survey.pixel_scale
        angle = rng.uniform(0, 2 * np.pi, len(missing))
        drawn["x_arcsec"], drawn["y_arcsec"] = rng.uniform(-0.5, 0.5, (2, len(missing), 1)) * survey.pixel_scale
        drawn["x_arcsec"][:, 1] += separation * np.cos(angle)
        drawn["y_arcsec"][:, 1] += separation * np.sin(angle)
        good = (np.abs(i[1] - i[0]) < DIFFERENCE) & (least <= most)
        pairs[missing[good]] = drawn[good]
        missing = missing[~good]
    return pairs


def _seen_radius(pairs, survey):
    """Half-light radii as the PSF widens them [pixels]."""
    return np.hypot(pairs["radius_arcsec"], np.median(survey.psf_fwhm) / 2) / survey.pixel_scale


def _truth(pairs, light, shine, masks, survey, size):
    truth = np.zeros(len(pairs), TRUTH)
    truth["kind"], truth["radius"] = pairs["kind"], _seen_radius(pairs, survey)
    truth["x"], truth["y"] = ((size - 1) / 2 + pairs[name] / survey.pixel_scale for name in ("x_arcsec", "y_arcsec"))
    truth["flux"] = light.sum(axis=(2, 3), dtype=float) * survey.sky_noise
    i = np.argmin(np.abs(np.array(survey.wavelengths) - 770))
    truth["magnitude"] = survey.zero_point - 2.5 * np.log10(truth["flux"][:, :, i])
    truth["separation"] = np.hypot(np.diff(truth["x"])[:, 0], np.diff(truth["y"])[:, 0])
    truth["magnitude_difference"] = np.diff(truth["magnitude"])[:, 0]
    smaller = masks.sum(axis=(2, 3)).min(axis=1)
    truth["overlap"] = masks.all(axis=1).sum(axis=(1, 2)) / np.maximum(smaller, 1)
    own, together = np.square(shine).sum(axis=(2, 3)), (shine * shine.sum(axis=1, keepdims=True)).sum(axis=(2, 3))
    truth["blendedness"] = 1 - own / together
    return truth
