"""Galaxies with known mass: images in three bands, and beside each the map of its stellar mass.

::

    data = masses.observe(100, rng)    # .images (100, 32, 32, 3), .clean the same without noise, .mass (100, 32, 32)

Every galaxy is made of populations of stars: old ones in bulge and bar, mixed ones in the disc, young ones in the arms.
Each has a colour and a ratio of mass to light. *Within* a population both grow together, as both come from the age of
its stars; but a disc as red as a bulge is lighter than the bulge, so that colour alone does not say the mass. The
numbers are of the size that models of stellar populations give (e.g. Bell et al. 2003, ApJS 149, 289), and made up
otherwise.
"""

from dataclasses import dataclass, replace

import numpy as np

from utils import sky

SIZE = 32  # pixels along a side of a stamp
SURVEY = replace(sky.SURVEYS["HSC"], name="HSC, 2 × 2 pixels", pixel_scale=0.336)
BANDS = SURVEY.bands  # g, r, i

# g - r [mag] and log10 of mass over light in r [solar units] of a typical population, and the spread of the colours
COLOUR = {"old": 0.72, "disc": 0.64, "young": 0.20}
MASS_TO_LIGHT = {"old": 0.50, "disc": -0.05, "young": -0.70}
SPREAD = {"old": 0.05, "disc": 0.12, "young": 0.10}
SLOPE = 1.2  # dex of mass over light for each mag of colour, within a population
REDSHIFT = 0.04  # spread of what redshift and dust in front add to all colours of a galaxy [mag]


@dataclass(frozen=True)
class Galaxies:
    """Galaxies and their maps of mass, both at the sharpness of the survey.

    images, clean : (n, 32, 32, 3) float32, g, r, i in units of the sky noise, with the noise and without
    mass : (n, 32, 32) float32, stellar mass; 1 is the mass that a ratio of 1 gives a pixel as bright as r's sky noise
    truth : (n,) structured array, as ``sky.TRUTH``
    """

    images: np.ndarray
    clean: np.ndarray
    mass: np.ndarray
    truth: np.ndarray


def observe(n, rng, magnitude=(17.5, 20.5)):
    """Draw galaxies, two spirals for each elliptical, and observe them.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator
    magnitude : (float, float)
        Bright and faint limit in r.

    Returns
    -------
    Galaxies

    Examples
    --------
    >>> data = observe(3, np.random.default_rng(0))
    >>> data.images.shape, data.mass.shape
    ((3, 32, 32, 3), (3, 32, 32))
    """
    truth = sky.draw_galaxies(n, rng, kinds=("elliptical", "spiral", "spiral"), magnitude=magnitude)
    truth["clump_fraction"] = truth["dust_depth"] = 0
    spiral = truth["kind"] == "spiral"
    truth["bulge_fraction"][spiral] = rng.uniform(0.05, 0.6, spiral.sum())
    in_front = rng.normal(0, REDSHIFT, n)
    clean = np.zeros((n, SIZE, SIZE, len(BANDS)), np.float32)
    mass = np.zeros((n, SIZE, SIZE), np.float32)
    for population, rows in _populations(truth).items():
        redder = rng.normal(0, SPREAD[population], n)
        for column in ("colour_old", "colour_disc", "colour_young"):
            rows[column] = COLOUR[population] + redder + in_front
        light = sky.render(rows, SURVEY, SIZE)
        clean += light
        mass += light[..., BANDS.index("r")] * 10 ** (MASS_TO_LIGHT[population] + SLOPE * redder)[:, None, None]
    images = clean + rng.normal(size=clean.shape).astype(np.float32)  # the galaxies' own photon noise is left out
    return Galaxies(images, clean, mass, truth)


def _populations(truth):
    """The same galaxies three times, each time with the light of one population alone."""
    old = truth["bulge_fraction"] + truth["bar_fraction"]
    young = (1 - old) * truth["arm_strength"]
    shares = {"old": old, "disc": 1 - old - young, "young": young}
    populations = {}
    for name, share in shares.items():
        rows = truth.copy()
        rows["magnitude"] -= 2.5 * np.log10(np.maximum(share, 1e-9))
        parts = np.maximum(old, 1e-9) if name == "old" else np.inf
        for column in ("bulge_fraction", "bar_fraction"):
            rows[column] = truth[column] / parts
        rows["arm_strength"] = 1 if name == "young" else 0
        populations[name] = rows
    return populations
