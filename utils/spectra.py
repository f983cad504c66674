"""Simulated spectra of star-forming galaxies: real emission lines, a redshift, a continuum, noise with sky lines.

Three steps, as in ``utils.sky``::

    wavelength = spectra.log_wavelengths()                 # (pixels,) vacuum wavelengths in ångström
    truth = spectra.draw_galaxies(100, rng)                # what is there: a table
    flux = spectra.render(truth, wavelength, rng)          # what is seen: (100, pixels)
    noise = spectra.noise(wavelength)                      # (pixels,) standard deviation of what is seen

The pixels are those of the Sloan survey's spectra: steps of 1e-4 in the decimal logarithm of the wavelength, 69 km/s
each, at a resolution of 2000. As the steps are logarithmic, a redshift moves all lines by the same number of pixels,
and a line is as many pixels wide in the blue as in the red. Flux densities are in 1e-17 erg/s/cm²/Å, fluxes in
1e-17 erg/s/cm².
"""

import numpy as np
from scipy.special import erf

SPEED_OF_LIGHT = 299792.458  # km/s
STEP = 1e-4  # of a pixel, in log10(wavelength)
RESOLUTION = 2000.0  # wavelength / full width at half maximum, of the spectrograph

# Rest wavelengths in vacuum [Å]: Atomic Line List (van Hoof 2018, Galaxies 6, 63), the values that MaNGA uses.
LINES = {
    "[O II] 3726": 3727.092,
    "[O II] 3729": 3729.875,
    "Hδ": 4102.892,
    "Hγ": 4341.684,
    "Hβ": 4862.683,
    "[O III] 4959": 4960.295,
    "[O III] 5007": 5008.240,
    "[N II] 6548": 6549.860,
    "Hα": 6564.608,
    "[N II] 6583": 6585.270,
    "[S II] 6716": 6718.295,
    "[S II] 6731": 6732.674,
}

# Bright lines of the night sky: wavelength in air [Å], and how many times the dark sky's variance the line's peak adds.
# Oxygen and sodium first; from 6863 Å on hydroxyl (OH), wavelengths as in Osterbrock et al. (1996, PASP 108, 277).
# The strengths are rough: they are there to make the noise differ from pixel to pixel, as it does in a real spectrum.
SKY_LINES = {
    5577.338: 60.0,
    5889.950: 6.0,
    5895.924: 4.0,
    6300.304: 20.0,
    6363.776: 8.0,
    6863.955: 5.0,
    7276.405: 6.0,
    7316.282: 7.0,
    7340.885: 8.0,
    7750.640: 8.0,
    7794.112: 10.0,
    7821.503: 8.0,
    7913.708: 12.0,
    7964.650: 12.0,
    7993.332: 12.0,
    8344.602: 14.0,
    8399.170: 16.0,
    8430.174: 14.0,
    8827.096: 20.0,
    8919.610: 16.0,
}

TRUTH = np.dtype(
    [
        ("redshift", "f8"),
        ("dispersion", "f8"),  # of the gas: standard deviation of its velocities along the line of sight [km/s]
        ("halpha", "f8"),  # flux of Hα [1e-17 erg/s/cm²]
        ("nitrogen", "f8"),  # log10 of [N II] 6583 / Hα
        ("continuum", "f8"),  # flux density at 6500 Å [1e-17 erg/s/cm²/Å]
        ("slope", "f8"),  # of the continuum: flux density ∝ wavelength ** slope
    ]
)


def log_wavelengths(first=3800.0, last=9200.0):
    """Centres of the pixels from `first` to at most `last`: (pixels,) vacuum wavelengths [Å].

    Examples
    --------
    >>> wavelength = log_wavelengths()
    >>> len(wavelength), f"{wavelength[1] - wavelength[0]:.3f} Å", f"{wavelength[-1] - wavelength[-2]:.3f} Å"
    (3841, '0.875 Å', '2.118 Å')
    """
    if not 0 < first < last:
        raise ValueError(f"wavelengths go from a positive one to a larger one, got {first} to {last} Å")
    return first * 10 ** (STEP * np.arange(int(np.log10(last / first) / STEP + 1e-9) + 1))


def pixel(wavelength, at):
    """Where a wavelength falls on a logarithmic grid, as a fraction of pixels from the first pixel's centre.

    Parameters
    ----------
    wavelength : (pixels,) array
        As made by :func:`log_wavelengths`, or a stretch of it [Å].
    at : float or array
        [Å]

    Examples
    --------
    >>> wavelength = log_wavelengths()
    >>> float(round(pixel(wavelength, wavelength[17]), 6))
    17.0
    """
    return np.log10(np.asarray(at) / wavelength[0]) / STEP


def air_to_vacuum(wavelength):
    """Vacuum wavelength of a wavelength in air [Å], by the refraction of Ciddor (1996, Applied Optics 35, 1566).

    Examples
    --------
    >>> print(f"{air_to_vacuum(5006.843):.2f}")
    5008.24
    """
    wavenumber = (1e4 / np.asarray(wavelength, float)) ** 2  # 1/µm²; taken in air, which changes the 9th digit
    refraction = 1 + 0.05792105 / (238.0185 - wavenumber) + 0.00167917 / (57.362 - wavenumber)
    return wavelength * refraction


def draw_galaxies(n, rng, redshift=(0.02, 0.35), halpha=(10.0, 200.0)):
    """A table of star-forming galaxies.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator
    redshift : (float, float)
        Drawn evenly between these two.
    halpha : (float, float)
        Flux of Hα, drawn evenly in its logarithm between these two [1e-17 erg/s/cm²].

    Returns
    -------
    (n,) structured array with the columns of ``TRUTH``
    """
    if not 0 <= redshift[0] <= redshift[1]:
        raise ValueError(f"redshift must go from 0 or more upwards, got {redshift}")
    if not 0 < halpha[0] <= halpha[1]:
        raise ValueError(f"halpha must go from a positive flux upwards, got {halpha}")
    truth = np.zeros(n, TRUTH)
    truth["redshift"] = rng.uniform(*redshift, size=n)
    truth["dispersion"] = rng.uniform(60, 110, size=n)
    truth["halpha"] = np.exp(rng.uniform(*np.log(halpha), size=n))
    truth["nitrogen"] = rng.uniform(-1.0, -0.35, size=n)
    truth["continuum"] = np.exp(rng.uniform(np.log(1.5), np.log(6.0), size=n))  # r between 19 and 20.5
    truth["slope"] = rng.uniform(-1.0, 0.8, size=n)
    return truth


def line_fluxes(truth):
    """Flux of each line in ``LINES``, without dust: (n, lines) array [1e-17 erg/s/cm²].

    Balmer lines by recombination theory (case B, 10⁴ K: Osterbrock & Ferland 2006), the two [O III] and the two [N II]
    lines by their transition probabilities (Storey & Zeippen 2000, MNRAS 312, 813). [O III]/Hβ lies 0.3 dex below the
    curve of Kauffmann et al. (2003, MNRAS 346, 1055) that bounds star-forming galaxies. [O II] and [S II] are set to
    typical fractions of Hβ and Hα.
    """
    halpha = truth["halpha"]
    hbeta = halpha / 2.86
    nitrogen = halpha * 10 ** truth["nitrogen"]
    oxygen = hbeta * 10 ** (0.61 / (truth["nitrogen"] - 0.05) + 1.0)
    flux = {
        "[O II] 3726": 1.1 * hbeta,
        "[O II] 3729": 1.5 * hbeta,
        "Hδ": 0.259 * hbeta,
        "Hγ": 0.468 * hbeta,
        "Hβ": hbeta,
        "[O III] 4959": oxygen / 2.98,
        "[O III] 5007": oxygen,
        "[N II] 6548": nitrogen / 3.05,
        "Hα": halpha,
        "[N II] 6583": nitrogen,
        "[S II] 6716": 0.18 * halpha,
        "[S II] 6731": 0.13 * halpha,
    }
    return np.stack([flux[name] for name in LINES], axis=-1)


def line_width(dispersion):
    """Standard deviation of a line in pixels, the gas and the spectrograph together.

    Parameters
    ----------
    dispersion : float or array
        Of the gas [km/s].

    Examples
    --------
    >>> print(f"{line_width(85.0):.2f} pixels")
    1.54 pixels
    """
    instrument = SPEED_OF_LIGHT / RESOLUTION / np.sqrt(8 * np.log(2))
    return np.hypot(dispersion, instrument) / (SPEED_OF_LIGHT * np.log(10) * STEP)


def render(truth, wavelength, rng=None):
    """Spectra of the galaxies: (n, pixels) flux densities [1e-17 erg/s/cm²/Å].

    Parameters
    ----------
    truth : (n,) structured array
        With the columns of ``TRUTH``.
    wavelength : (pixels,) array
        A stretch of :func:`log_wavelengths` [Å].
    rng : numpy.random.Generator, optional
        Of the noise; None is a spectrum without noise.
    """
    at = pixel(wavelength, wavelength)
    width = line_width(truth["dispersion"])[:, None]
    angstrom_per_pixel = wavelength * np.log(10) * STEP
    flux = truth["continuum"][:, None] * (wavelength / 6500) ** truth["slope"][:, None]
    for rest, line in zip(LINES.values(), line_fluxes(truth).T, strict=True):
        centre = pixel(wavelength, rest * (1 + truth["redshift"]))[:, None]
        flux += line[:, None] * _gaussian_in_pixels(at, centre, width) / angstrom_per_pixel
    if rng is not None:
        flux += noise(wavelength) * rng.normal(size=flux.shape)
    return flux


def noise(wavelength):
    """Standard deviation of the noise in each pixel: (pixels,) array [1e-17 erg/s/cm²/Å].

    A dark sky of 1 in the middle of the range, worse towards both ends, and much worse on the lines of the night sky.
    """
    wavelength = np.asarray(wavelength, float)
    dark = 1 + 0.5 * (np.log(wavelength / 6000) / np.log(1.5)) ** 2
    at = pixel(wavelength, wavelength)
    width = line_width(0.0)
    variance = np.ones(len(wavelength))
    for line, strength in SKY_LINES.items():
        variance += strength * np.exp(-0.5 * ((at - pixel(wavelength, air_to_vacuum(line))) / width) ** 2)
    return dark * np.sqrt(variance)


def _gaussian_in_pixels(at, centre, width):
    """Share of a line's flux that falls into each pixel."""
    low, high = (at - 0.5 - centre) / width, (at + 0.5 - centre) / width
    return 0.5 * (erf(high / np.sqrt(2)) - erf(low / np.sqrt(2)))
