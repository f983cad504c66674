"""Move galaxies on the sky itself: the truth table of the same galaxies, mirrored, turned, zoomed or shifted.

What :func:`moved` returns is rendered anew, with its own pixels and its own noise: no image is interpolated.
"""

import numpy as np

LENGTHS = (
    "radius_arcsec",
    "bulge_radius_arcsec",
    "bar_radius_arcsec",
    "companion_radius_arcsec",
    "clump_size",
    "clump_x",
    "clump_y",
    "companion_x",
    "companion_y",
    "x_arcsec",
    "y_arcsec",
)
HANDED = (
    "arm_pitch",
    "arm_phase",
    "bar_angle",
    "companion_angle",
    "clump_y",
    "companion_y",
)  # all about the major axis


def moved(truth, mirror=False, angle=0.0, zoom=1.0, shift=(0.0, 0.0)):
    """The same galaxies, mirrored left to right, turned, zoomed (all about the middle of the stamp), and shifted.

    Parameters
    ----------
    truth : (n,) structured array
        With the columns of ``sky.TRUTH``. It stays as it is.
    mirror : bool
    angle : float
        Degrees, counter-clockwise on the screen, where rows run downwards.
    zoom : float
        All lengths grow by it at constant surface brightness, so that the flux grows by its square.
    shift : (float, float)
        Down and right [arcsec].

    Returns
    -------
    (n,) structured array

    Examples
    --------
    >>> from utils import sky
    >>> truth = sky.empty_truth(1)
    >>> truth["position_angle"], truth["x_arcsec"] = 30, 1
    >>> new = moved(truth, angle=90)
    >>> float(new["position_angle"][0]), float(new["y_arcsec"][0])
    (300.0, -1.0)
    """
    if not zoom > 0:
        raise ValueError(f"zoom must be positive, got {zoom}")
    new = truth.copy()
    if mirror:
        for column in HANDED:
            new[column] = -new[column]
        new["x_arcsec"] = -new["x_arcsec"]
        new["position_angle"] = 180 - new["position_angle"]
    place = (new["x_arcsec"] + 1j * new["y_arcsec"]) * np.exp(-1j * np.deg2rad(angle))  # y runs downwards
    new["x_arcsec"], new["y_arcsec"] = place.real, place.imag
    new["position_angle"] = (new["position_angle"] - angle) % 360  # with three arms, half a turn is not none
    for column in LENGTHS:
        new[column] = new[column] * zoom
    new["magnitude"] -= 5 * np.log10(zoom)
    new["x_arcsec"] += shift[1]
    new["y_arcsec"] += shift[0]
    return new
