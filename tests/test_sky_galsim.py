"""Sersic galaxies as surveys see them, pixel by pixel beside GalSim (needed for development alone)."""

import numpy as np
import pytest

from utils import sky

galsim = pytest.importorskip("galsim")

EXACT = galsim.GSParams(folding_threshold=1e-4, maxk_threshold=1e-4, kvalue_accuracy=1e-6, maximum_fft_size=16384)
X, Y, ANGLE = 0.3, -0.2, 33.0  # centre [pixels] and position angle [degrees]


def galsim_picture(survey, band, index, radius, axis_ratio):
    """(64, 64) share of the flux in each pixel."""
    scale = survey.pixel_scale
    galaxy = galsim.Sersic(n=index, half_light_radius=radius * np.sqrt(axis_ratio), gsparams=EXACT)
    galaxy = galaxy.shear(q=axis_ratio, beta=ANGLE * galsim.degrees).shift(X * scale, Y * scale)
    psf = galsim.Moffat(beta=survey.psf_beta, fwhm=survey.psf_fwhm[band], gsparams=EXACT)
    return galsim.Convolve(galaxy, psf, gsparams=EXACT).drawImage(nx=64, ny=64, scale=scale).array


def our_picture(survey, band, index, radius, axis_ratio):
    truth = sky.empty_truth(1)
    truth["bulge_fraction"], truth["bulge_index"] = 1, index
    truth["bulge_radius_arcsec"], truth["bulge_axis_ratio"], truth["position_angle"] = radius, axis_ratio, ANGLE
    truth["x_arcsec"], truth["y_arcsec"] = X * survey.pixel_scale, Y * survey.pixel_scale
    return sky.render(truth, survey, 64)[0, :, :, band] * survey.sky_noise[band] / survey.flux(20.0)


def within_two_radii(survey, radius, axis_ratio):
    at = np.arange(64) - 31.5
    x, y = (at - X) * survey.pixel_scale, (at[:, None] - Y) * survey.pixel_scale
    c, s = np.cos(np.radians(ANGLE)), np.sin(np.radians(ANGLE))
    return np.hypot(x * c + y * s, (y * c - x * s) / axis_ratio) < 2 * radius


@pytest.mark.parametrize("axis_ratio", [1.0, 0.7, 0.4])
@pytest.mark.parametrize("index", [0.5, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("survey", sky.SURVEYS.values(), ids=sky.SURVEYS)
def test_every_pixel_within_two_effective_radii_agrees_to_one_per_cent(survey, index, axis_ratio):
    band = len(survey.bands) - 1 if survey.name != "Euclid" else 0  # the sharpest one
    for pixels in (3.0, 8.0):
        radius = pixels * survey.pixel_scale
        ours = our_picture(survey, band, index, radius, axis_ratio)
        theirs = galsim_picture(survey, band, index, radius, axis_ratio)
        inside = within_two_radii(survey, radius, axis_ratio)
        assert ours[inside] == pytest.approx(theirs[inside], rel=0.01)


def test_a_field_of_stars_and_galaxies_is_what_galsim_makes_of_it():
    survey, size = sky.SURVEYS["HSC tile"], 96
    truth = sky.empty_truth(6)
    truth["kind"][:2] = "star"
    truth["magnitude"] = 20, 22, 20, 21, 22, 23
    truth["bulge_fraction"] = 0, 0, 1, 1, 0, 0  # of galaxies: two ellipticals, two exponential discs
    truth["bulge_index"] = 1, 1, 4, 2.5, 1, 1
    truth["bulge_radius_arcsec"] = truth["radius_arcsec"] = 1, 1, 1.2, 0.8, 1.0, 0.6
    truth["bulge_axis_ratio"] = truth["axis_ratio"] = 1, 1, 0.8, 0.6, 0.5, 0.9
    truth["position_angle"] = 0, 0, 20, 70, 120, 0
    truth["x_arcsec"], truth["y_arcsec"] = np.random.default_rng(0).uniform(-6, 6, (2, 6))
    field = sky.render_field(truth, survey, size)
    for band in range(3):
        psf = galsim.Moffat(beta=survey.psf_beta, fwhm=survey.psf_fwhm[band], gsparams=EXACT)
        theirs = np.zeros((size, size))
        for number, row in enumerate(truth):
            seen = psf
            if row["kind"] != "star":
                index = float(row["bulge_index"])
                axis_ratio = float(row["axis_ratio"])
                radius = float(row["radius_arcsec"]) * np.sqrt(axis_ratio)
                galaxy = galsim.Sersic(n=index, half_light_radius=radius, gsparams=EXACT)
                angle = float(row["position_angle"]) * galsim.degrees
                seen = galsim.Convolve(galaxy.shear(q=axis_ratio, beta=angle), psf, gsparams=EXACT)
            flux = survey.flux(float(row["magnitude"])) / survey.sky_noise[band]
            seen = seen.shift(float(row["x_arcsec"]), float(row["y_arcsec"])) * flux
            alone = seen.drawImage(nx=size, ny=size, scale=survey.pixel_scale).array
            ours = field.contribution(number)[..., band]
            assert ours == pytest.approx(alone, rel=0.02, abs=0.1 + 0.01 * float(alone.max()))
            assert ours.sum() == pytest.approx(alone.sum(), rel=0.02)
            theirs += alone
        assert field.light[..., band] == pytest.approx(theirs, rel=0.02, abs=0.3 + 0.005 * float(theirs.max()))
