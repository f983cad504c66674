"""Simulated galaxies of four kinds, as a survey sees them."""

import numpy as np

from utils import sky
from utils.datasets.splits import SPLITS, check_simulated, stream

# Limits of the r magnitude, as distances from the survey's depth: bright enough to see all, and too faint to be sure.
BRIGHT, FAINT = 9.5, 4.75


def describe(n_train=4000, n_validation=1000, n_test=1000, size=64, upright=False, survey="HSC", seed=0):
    """Simulated galaxies of four kinds: elliptical, spiral, edge-on, irregular (the last with mergers).

    Images are in units of the sky noise, bands from blue to red; the truth table has the columns of ``sky.TRUTH``.

    Parameters
    ----------
    n_train, n_validation, n_test : int
        Number of galaxies; the kinds are equally frequent.
    size : int
        Side of a stamp [pixels].
    upright : bool
        Lay all galaxies along the x axis. Otherwise they lie as they like.
    survey : str
        Out of ``sky.SURVEYS``. Magnitudes follow its depth.
    seed : int
    """
    check_simulated(survey, n_train, n_validation, n_test, size, seed)
    if not isinstance(upright, (bool, np.bool_)):
        raise ValueError(f"upright must be True or False, got {upright!r}")
    seen_by = sky.SURVEYS[survey]
    bright, faint = _magnitudes(seen_by)
    return {
        "class_names": sky.KINDS,
        "bands": seen_by.bands,
        "survey": seen_by,
        "description": (
            f"Simulated galaxies of four kinds as {survey} sees them ({', '.join(seen_by.bands)}; "
            f'{seen_by.pixel_scale}" pixels), r magnitude {bright:.1f} to {faint:.1f}, '
            f"{'all lying along the x axis' if upright else 'in any orientation'}. Pixels in units of the sky noise."
        ),
    }


def _magnitudes(survey):
    """Bright and faint limit for a survey, from its depth in the band next to r."""
    r = survey.nearest_band(620)
    return survey.depth[r] - BRIGHT, survey.depth[r] - FAINT


def make(n_train, n_validation, n_test, size, upright, survey, seed):
    seen_by = sky.SURVEYS[survey]
    arrays = {}
    for split, n in zip(SPLITS, (n_train, n_validation, n_test), strict=True):
        draw, noise = stream(seed, "morphology", split).spawn(2)
        truth = sky.draw_galaxies(n, draw, magnitude=_magnitudes(seen_by), upright=bool(upright))
        arrays[f"{split}_images"] = sky.render(truth, seen_by, size, noise)
        arrays[f"{split}_labels"] = np.array([sky.KINDS.index(kind) for kind in truth["kind"]], np.int64)
        arrays[f"{split}_truth"] = truth
    return arrays
