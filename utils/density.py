"""Maps of dark matter in periodic boxes, and of the gas in it: a toy in two dimensions.

::

    matter = density.dark_matter(100, 32, rng)    # (100, 32, 32), density over its mean
    light = density.transmitted(matter)           # (100, 32, 32), share of a quasar's light that the gas lets through

The matter is log-normal, which is near to what gravity makes of the small ripples of the early universe (Coles &
Jones 1991, MNRAS 248, 1). The gas follows it on large scales and is smoothed by its own pressure on small ones
(Gnedin & Hui 1998, MNRAS 296, 44). Its optical depth follows the fluctuating Gunn-Peterson approximation, tau ~
density^2 T^-0.7, with temperatures T ~ density^0.6 where nothing else heats it (Hui & Gnedin 1997, MNRAS 292, 27).
Groups of galaxies do heat it, here by a rule of our own: what lies within a few pixels of much matter is hotter. So
the gas at a place depends on the matter around it, out to about ten pixels. Boxes are periodic: what leaves on the
right comes back on the left.
"""

import numpy as np

PIXEL = 0.25  # Mpc/h
JEANS = 0.3  # width of the smoothing by pressure [Mpc/h]
NEIGHBOURHOOD = 0.75  # standard deviation of the window in which much matter heats the gas [Mpc/h]


def wavenumbers(side):
    """|k| of the elements of ``np.fft.fft2`` of a map: (side, side) array [h/Mpc]."""
    k = 2 * np.pi * np.fft.fftfreq(side, PIXEL)
    return np.hypot(k[:, None], k[None, :])


def input_spectrum(k):
    """Power of the logarithm of the density [(Mpc/h)^2]: k^-1 at large k, flat at small k, cut off near the pixel.

    Parameters
    ----------
    k : array
        [h/Mpc]
    """
    k = np.asarray(k, float)
    return 1.1 / (1 + (k / 1.0) ** 2) ** 0.75 * np.exp(-((k / 8.0) ** 2))


def gaussian_field(n, side, rng, spectrum=input_spectrum):
    """Periodic Gaussian random maps with a given power spectrum.

    Parameters
    ----------
    n, side : int
        Number of maps, and their side [pixels].
    rng : numpy.random.Generator
    spectrum : callable
        Power [(Mpc/h)^2] of a wavenumber [h/Mpc].

    Returns
    -------
    (n, side, side) array
    """
    noise = np.fft.fft2(rng.normal(size=(n, side, side)))
    return np.fft.ifft2(noise * np.sqrt(spectrum(wavenumbers(side))) / PIXEL).real


def smoothed(maps, width):
    """Periodic maps, convolved with a Gaussian of this standard deviation [Mpc/h]."""
    window = np.exp(-0.5 * (wavenumbers(maps.shape[-1]) * width) ** 2)
    return np.fft.ifft2(np.fft.fft2(maps) * window).real


def dark_matter(n, side, rng):
    """Log-normal maps of the matter's density over its mean: (n, side, side) array, all positive."""
    field = gaussian_field(n, side, rng)
    k = wavenumbers(side)
    variance = input_spectrum(k).sum() / (side * PIXEL) ** 2
    return np.exp(field - variance / 2)


def transmitted(matter):
    """Share of a quasar's light that the gas lets through, from 0 to 1: (n, side, side) array."""
    gas = smoothed(matter, JEANS)
    around = smoothed(matter, NEIGHBOURHOOD)
    temperature = gas**0.6 * (1 + 3 * np.maximum(around - 1.2, 0) ** 2)
    depth = 0.6 * gas**2 * temperature**-0.7
    return np.exp(-depth)
