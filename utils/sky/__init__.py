"""The simulated sky: galaxies with known truth, seen by surveys with known depth and sharpness.

Three steps that stay apart, so that the same galaxies can be looked at twice::

    truth = sky.draw_galaxies(100, rng)                 # what is there: a table, in arcsec and magnitudes
    survey = sky.SURVEYS["HSC"]                         # who looks: pixels, PSF, depth, bands
    stamps = sky.render(truth, survey, 64, rng)         # what is seen: (n, 64, 64, bands), in units of the sky noise

Whole fields with many sources work the same way: ``draw_field`` and ``render_field``.

``surveys`` holds the instruments, ``profiles`` the formulae of surface brightness, ``galaxies`` the truth table,
``parts`` what a row of it looks like, ``images`` what makes pixels of that, ``scenes`` what makes fields of many.
"""

from utils.sky.galaxies import KINDS, TRUTH, check_limits, draw_galaxies, empty_truth
from utils.sky.images import colour, render
from utils.sky.scenes import (
    OBJECTS,
    THRESHOLD,
    Field,
    detection,
    draw_field,
    draw_population,
    render_field,
    render_fields,
)
from utils.sky.surveys import SURVEYS, Survey, colour_weight, dust_law

__all__ = [
    "KINDS",
    "OBJECTS",
    "SURVEYS",
    "THRESHOLD",
    "TRUTH",
    "Field",
    "Survey",
    "check_limits",
    "colour",
    "colour_weight",
    "detection",
    "draw_field",
    "draw_galaxies",
    "draw_population",
    "dust_law",
    "empty_truth",
    "render",
    "render_field",
    "render_fields",
]
