"""The simulated sky: galaxies with known truth, seen by surveys with known depth and sharpness.

Three steps that stay apart, so that the same galaxies can be looked at twice::

    truth = sky.draw_galaxies(100, rng)                 # what is there: a table, in arcsec and magnitudes
    survey = sky.SURVEYS["HSC"]                         # who looks: pixels, PSF, depth, bands
    stamps = sky.render(truth, survey, 64, rng)         # what is seen: (n, 64, 64, bands), in units of the sky noise

``surveys`` holds the instruments, ``profiles`` the formulae of surface brightness, ``galaxies`` the truth table,
``parts`` what a row of it looks like, ``images`` what makes pixels of that.
"""

from utils.sky.galaxies import KINDS, TRUTH, draw_galaxies, empty_truth
from utils.sky.images import colour, render
from utils.sky.surveys import SURVEYS, Survey, colour_weight, dust_law

__all__ = [
    "KINDS",
    "SURVEYS",
    "TRUTH",
    "Survey",
    "colour",
    "colour_weight",
    "draw_galaxies",
    "dust_law",
    "empty_truth",
    "render",
]
