"""Surveys: how sharp, how deep and through which bands the sky is seen."""

from dataclasses import dataclass

import numpy as np

# How a colour g - r of 1 mag spreads over the spectrum: magnitude minus r magnitude, at these wavelengths [nm]. Made
# from the mean colours of E to Scd galaxies in Fukugita, Shimasaku & Ichikawa 1995, PASP 107, 945; beyond 1000 nm an
# extension by eye (r - H is about 1.3 for an elliptical with g - r = 0.77).
_WAVELENGTHS = (350.0, 430.0, 480.0, 620.0, 770.0, 900.0, 1100.0, 1400.0, 1800.0)
_MAGNITUDES = (3.2, 1.7, 1.0, 0.0, -0.5, -0.8, -1.1, -1.4, -1.7)


@dataclass(frozen=True)
class Survey:
    """A survey as the simulator needs it. One value per band where a tuple stands.

    Parameters
    ----------
    name : str
    bands : tuple of str
        From blue to red.
    wavelengths : tuple of float
        Effective wavelengths of the bands [nm].
    pixel_scale : float
        Side of a pixel [arcsec].
    psf_fwhm : tuple of float
        Full width at half maximum of the point spread function (PSF) [arcsec].
    psf_beta : float
        Slope of its Moffat profile, above 1; small values have strong wings.
    depth : tuple of float
        AB magnitude of a point source measured at 5 sigma. The sky noise follows from it.
    sky_brightness : tuple of float
        AB magnitude per square arcsec of the sky; says how many electrons a flux is worth, thus the Poisson noise.
    zero_point : float
        AB magnitude of one unit of flux.

    Raises
    ------
    ValueError
        For a value that no survey can have, naming it.

    Examples
    --------
    >>> hsc = SURVEYS["HSC"]
    >>> hsc.bands, hsc.pixel_scale
    (('g', 'r', 'i'), 0.168)
    >>> hsc.flux(27.0)
    1.0
    >>> hsc.bands[hsc.nearest_band(770)]
    'i'
    """

    name: str
    bands: tuple
    wavelengths: tuple
    pixel_scale: float
    psf_fwhm: tuple
    psf_beta: float
    depth: tuple
    sky_brightness: tuple
    zero_point: float

    def __post_init__(self):
        if not self.bands:
            raise ValueError("bands must name at least one band, got none")
        if not self.pixel_scale > 0:
            raise ValueError(f"pixel_scale must be positive arcsec per pixel, got {self.pixel_scale}")
        if not self.psf_beta > 1:
            raise ValueError(f"psf_beta must be above 1 (else the PSF has no finite flux), got {self.psf_beta}")
        for field in ("wavelengths", "psf_fwhm", "depth", "sky_brightness"):
            values = getattr(self, field)
            if np.ndim(values) != 1 or len(values) != len(self.bands):
                raise ValueError(f"{field} needs one value for each of the bands {self.bands}, got {values}")
            if not np.all(np.isfinite(values)):
                raise ValueError(f"{field} must be finite, got {values}")
        for field, unit in (("wavelengths", "nm"), ("psf_fwhm", "arcsec")):
            if min(getattr(self, field)) <= 0:
                raise ValueError(f"{field} must be positive {unit}, got {getattr(self, field)}")

    def flux(self, magnitude):
        """Flux of an AB magnitude, in units of the zero point."""
        return 10 ** (-0.4 * (magnitude - self.zero_point))

    def nearest_band(self, wavelength):
        """Position of the band whose wavelength is nearest to this one [nm]: 620 for r, 770 for i."""
        return int(np.argmin(np.abs(np.array(self.wavelengths) - wavelength)))

    @property
    def sky_noise(self):
        """(bands,) standard deviation of the sky in one pixel, in units of flux.

        A point source fitted with the PSF P is measured to sigma / sqrt(sum P^2) (King 1983, PASP 95, 163). For a
        Moffat profile of width alpha, 1 / sum P^2 = pi alpha^2 (2 beta - 1) / (beta - 1)^2, so the depth gives sigma.
        """
        beta = self.psf_beta
        alpha = np.array(self.psf_fwhm) / self.pixel_scale / (2 * np.sqrt(2 ** (1 / beta) - 1))
        pixels = np.pi * alpha**2 * (2 * beta - 1) / (beta - 1) ** 2
        return self.flux(np.array(self.depth)) / (5 * np.sqrt(pixels))

    @property
    def sky_electrons(self):
        """(bands,) electrons of sky light in one pixel of the finished exposure.

        The sky's own Poisson noise is the noise: sqrt(electrons) electrons are worth ``sky_noise``.
        """
        sky = self.flux(np.array(self.sky_brightness)) * self.pixel_scale**2
        return (sky / self.sky_noise) ** 2


def colour_weight(survey):
    """Magnitude minus r magnitude, in each band of a survey, of a source with g - r = 1.

    Returns
    -------
    (bands,) array [mag]

    Examples
    --------
    >>> colour_weight(SURVEYS["HSC"]).round(1) + 0.0
    array([ 1. ,  0. , -0.5])
    """
    return np.interp(survey.wavelengths, _WAVELENGTHS, _MAGNITUDES)


def dust_law(survey):
    """Optical depth of dust in each band, relative to that at 550 nm: (wavelength / 550 nm) ** -1.3.

    Close to the Milky Way's law from 400 to 900 nm (Cardelli, Clayton & Mathis 1989, ApJ 345, 245).
    """
    return (np.array(survey.wavelengths) / 550.0) ** -1.3


SURVEYS = {
    survey.name: survey
    for survey in (
        # PSF: median FWHM of each band (Xin et al. 2018, AJ 156, 222; r 1.32" in the DR12 overview,
        # sdss.org/dr12/scope); 5-sigma PSF magnitudes: sdss.org/dr12/scope, sky: SDSS DR7 quartiles (r 20.86).
        Survey(
            name="SDSS",
            bands=("g", "r", "i"),
            wavelengths=(475.0, 620.0, 753.0),
            pixel_scale=0.396,
            psf_fwhm=(1.43, 1.32, 1.25),
            psf_beta=3.0,
            depth=(23.13, 22.70, 22.20),
            sky_brightness=(21.84, 20.86, 20.16),
            zero_point=22.5,
        ),
        # Abbott et al. 2021, ApJS 255, 20 (DR2): median FWHM and depth at 10 sigma in 1.95" (24.7, 24.4, 23.8) less
        # 0.75 mag; sky: Abbott et al. 2018, ApJS 239, 18.
        Survey(
            name="DES",
            bands=("g", "r", "i"),
            wavelengths=(481.0, 644.0, 784.0),
            pixel_scale=0.263,
            psf_fwhm=(1.11, 0.95, 0.88),
            psf_beta=3.0,
            depth=(25.45, 25.15, 24.55),
            sky_brightness=(22.01, 21.15, 19.89),
            zero_point=30.0,
        ),
        # Aihara et al. 2022, PASJ 74, 247 (PDR3, Wide layer, table 1); sky: Subaru exposure time calculator.
        Survey(
            name="HSC",
            bands=("g", "r", "i"),
            wavelengths=(480.0, 620.0, 770.0),
            pixel_scale=0.168,
            psf_fwhm=(0.79, 0.75, 0.61),
            psf_beta=3.0,
            depth=(26.5, 26.5, 26.2),
            sky_brightness=(21.4, 20.6, 19.7),
            zero_point=27.0,
        ),
        # A tile of HSC-SSP (third release, tract 10054), the data set "hsc": PSF and noise as measured on it (see the
        # tests), the zero point of the survey's images (27.01 +- 0.02 by the tile's stars), sky as above.
        Survey(
            name="HSC tile",
            bands=("g", "r", "i"),
            wavelengths=(480.0, 620.0, 770.0),
            pixel_scale=0.168,
            psf_fwhm=(0.75, 0.62, 0.536),
            psf_beta=2.3,
            depth=(27.53, 27.37, 27.25),
            sky_brightness=(21.4, 20.6, 19.7),
            zero_point=27.0,
        ),
        # ACS/WFC in the GOODS fields: Giavalisco et al. 2004, ApJ 600, L93 (10 sigma in 0.2" less 0.75 mag; F814W about
        # as F775W); sky: zodiacal light, ACS Instrument Handbook, chapter 9. FWHM of the drizzled PSF about 0.1".
        Survey(
            name="HST",
            bands=("F435W", "F606W", "F814W"),
            wavelengths=(433.0, 592.0, 806.0),
            pixel_scale=0.05,
            psf_fwhm=(0.10, 0.10, 0.10),
            psf_beta=2.5,
            depth=(28.5, 28.5, 27.8),
            sky_brightness=(23.4, 22.7, 22.5),
            zero_point=26.0,
        ),
        # Euclid-like, all bands on the 0.1" grid of VIS. Euclid Collaboration: Scaramella et al. 2022, A&A 662, A112
        # and Mellier et al. 2025, A&A 697, A1: 5 sigma point sources 26.2 (VIS) and 24.5 (Y, H); sky: zodiacal light.
        Survey(
            name="Euclid",
            bands=("VIS", "Y", "H"),
            wavelengths=(715.0, 1085.0, 1770.0),
            pixel_scale=0.1,
            psf_fwhm=(0.16, 0.48, 0.49),
            psf_beta=2.5,
            depth=(26.2, 24.4, 24.4),
            sky_brightness=(22.3, 22.1, 22.3),
            zero_point=23.9,
        ),
    )
}
