"""Surface brightness of the parts of a galaxy, and of a star.

Each profile is normalised so that its integral over the plane is one. Positions and lengths are in the same unit
(arcsec); arguments broadcast against each other as in NumPy, and float32 stays float32.
"""

import numpy as np
from scipy import special


def sersic_b(index):
    """The constant b of a Sersic profile: half of the light lies within the effective radius.

    It solves P(2n, b) = 1/2, P being the regularised incomplete gamma function (Ciotti 1991, A&A 249, 99), exactly.

    Examples
    --------
    >>> round(float(sersic_b(4.0)), 4)
    7.6692
    """
    return special.gammaincinv(2 * np.asarray(index, float), 0.5)


def sersic(x, y, radius, index, axis_ratio):
    """Sersic profile with elliptical isophotes along the x axis.

    I(r) is proportional to exp(-b (r / radius)^(1/index)); index 4 is de Vaucouleurs' profile of ellipticals, 1 an
    exponential disc, 0.5 a Gaussian.

    Parameters
    ----------
    x, y : array
        Position from the centre.
    radius : array
        Effective (half-light) radius along the major axis.
    index : array
        Sersic index.
    axis_ratio : array
        Minor over major axis, in (0, 1].

    Returns
    -------
    array
        Flux per unit area, for a total flux of one.

    References
    ----------
    Sersic 1963, BAAA 6, 41; Graham & Driver 2005, PASA 22, 118.

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(-50, 50.5), np.arange(-50, 50.5))
    >>> round(float(sersic(x, y, 5.0, 1.0, 0.5).sum()), 2)
    1.0
    """
    b = sersic_b(index)
    total = 2 * np.pi * np.square(radius) * axis_ratio * index * b ** (-2 * index) * special.gamma(2 * index)
    squared = np.square(x / radius) + np.square(y / (radius * axis_ratio))
    exponent = np.power(squared, _like(squared, 0.5 / index))
    return np.exp(exponent * _like(squared, -b)) * _like(squared, 1 / total)


def edge_on(x, z, scale_length, scale_height):
    """Exponential disc seen from its side, with a sech^2 layer above and below the plane.

    I(x, z) is proportional to (|x| / h) K1(|x| / h) sech^2(z / z0) (van der Kruit & Searle 1981, A&A 95, 105).

    Examples
    --------
    >>> x, z = np.meshgrid(np.arange(-80, 80.5), np.arange(-80, 80.5))
    >>> round(float(edge_on(x, z, 8.0, 3.0).sum()), 2)
    1.0
    """
    distance = np.abs(x) / scale_length
    along = np.interp(distance, _K1_AT, _K1).astype(distance.dtype)
    across = 1 / np.square(np.cosh(np.clip(z / scale_height, -40, 40)))
    return along * across / (2 * np.pi * scale_length * scale_height)


_K1_AT = np.linspace(0, 20, 4001)
_K1 = np.concatenate([[1.0], _K1_AT[1:] * special.k1(_K1_AT[1:])])


def spiral_arms(distance, angle, count, pitch, phase, sharpness):
    """How much brighter than the mean of its ring a point of a disc with logarithmic spiral arms is.

    The ridge of an arm lies at angle = phase + ln(distance) / tan(pitch). Around a ring the factor is a von Mises
    distribution, exp(sharpness cos(psi)) / I0(sharpness): its mean is exactly one, so arms move light but do not add
    any.

    Parameters
    ----------
    distance, angle : array
        Polar coordinates in the plane of the disc; angle in radians.
    count : array
        Number of arms.
    pitch : array
        Pitch angle [rad]: small for tightly wound arms; its sign says which way they wind.
    phase : array
        Angle of an arm at distance one [rad].
    sharpness : array
        0: no arms; 1: broad; 5: thin.

    Examples
    --------
    >>> angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    >>> round(float(spiral_arms(2.0, angle, 2, 0.3, 0.0, 3.0).mean()), 6)
    1.0
    """
    distance = np.maximum(distance, 1e-3)
    psi = count * (angle - phase - np.log(distance) * (1 / np.tan(pitch)))
    return np.exp(sharpness * (np.cos(psi) - 1)) * (1 / special.i0e(sharpness))


def moffat(distance, fwhm, beta):
    """Moffat profile of a star: (1 + (r / alpha)^2)^-beta (Moffat 1969, A&A 3, 455).

    Parameters
    ----------
    distance : array
    fwhm : float
        Full width at half maximum.
    beta : float
        Slope, above 1.

    Examples
    --------
    >>> round(float(moffat(1.5, 3.0, 2.5) / moffat(0.0, 3.0, 2.5)), 3)
    0.5
    """
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    return (beta - 1) / (np.pi * alpha**2) * (1 + np.square(distance / alpha)) ** -beta


def _like(array, values):
    """The values in the array's own precision, so that float32 work stays float32."""
    return np.asarray(values).astype(np.asarray(array).dtype)
