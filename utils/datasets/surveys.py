"""Simulated disc galaxies with and without spiral arms, as one of several surveys sees them."""

import numpy as np

from utils import sky
from utils.datasets.splits import SPLITS, check_simulated, stream

CLASSES = ("smooth", "spiral")
ARMS = (0.2, 0.5)  # share of a spiral's disc light that lies in its arms: weaker than in the data set "morphology"


def describe(survey="SDSS", n_train=3000, n_validation=1000, n_test=1000, size=32, magnitude=(17.5, 20.3), seed=0):
    """Disc galaxies, half of them with spiral arms and half without, as one of several surveys sees them.

    With the same other options, the galaxies for validation and test are **the same** in every survey, in the same
    order: they lie where the surveys overlap. Those for training lie in a part of the sky that the survey has for
    itself. Smooth discs have the sizes, bulges, bars and, on average, the colours of the spirals: nothing but arms,
    with their dust and clumps, tells the two apart. Images are in units of the survey's own sky noise, in its own
    pixels.

    Parameters
    ----------
    survey : str
        Out of ``sky.SURVEYS``.
    n_train, n_validation, n_test : int
        Number of galaxies.
    size : int
        Side of a stamp [pixels].
    magnitude : (float, float)
        Bright and faint limit of the r magnitude.
    seed : int
    """
    check_simulated(survey, n_train, n_validation, n_test, size, seed)
    sky.check_limits(magnitude)
    seen_by, (bright, faint) = sky.SURVEYS[survey], magnitude
    return {
        "class_names": CLASSES,
        "bands": seen_by.bands,
        "survey": seen_by,
        "description": (
            f"Simulated disc galaxies with and without spiral arms as {survey} sees them ({', '.join(seen_by.bands)}; "
            f'{seen_by.pixel_scale}" pixels), r magnitude {bright:.1f} to {faint:.1f}. Those for validation and test '
            "are the same in every survey. Pixels in units of the sky noise."
        ),
    }


def make(survey, n_train, n_validation, n_test, size, magnitude, seed):
    arrays = {}
    for split, n in zip(SPLITS, (n_train, n_validation, n_test), strict=True):
        draw = stream(seed, f"surveys {survey}" if split == "train" else "surveys", split)
        noise = stream(seed, f"surveys {survey} noise", split)
        labels, truth = draw_discs(n, draw, magnitude)
        arrays[f"{split}_images"] = sky.render(truth, sky.SURVEYS[survey], size, noise)
        arrays[f"{split}_labels"], arrays[f"{split}_truth"] = labels, truth
    return arrays


def draw_discs(n, rng, magnitude):
    """Labels, integers into ``CLASSES``, and truth table of `n` disc galaxies, every other one with arms.

    A smooth disc is a spiral of which arms, clumps and dust are taken away, and whose disc gets the colour of both its
    parts together.
    """
    truth = sky.draw_galaxies(n, rng, kinds=("spiral",), magnitude=tuple(magnitude))
    truth["arm_strength"] = rng.uniform(*ARMS, n)
    labels = rng.permutation(np.arange(n) % 2)
    smooth = labels == 0
    young = truth["arm_strength"][smooth]
    truth["colour_disc"][smooth] = (1 - young) * truth["colour_disc"][smooth] + young * truth["colour_young"][smooth]
    for column in ("arm_strength", "clump_fraction", "dust_depth"):
        truth[column][smooth] = 0
    truth["kind"] = np.array(CLASSES)[labels]
    return labels.astype(np.int64), truth
