"""Simulated spectra: lines where physics puts them, fluxes conserved, noise as announced."""

import numpy as np
import pytest

from utils import spectra


def galaxy(**columns):
    truth = np.zeros(1, spectra.TRUTH)
    truth["dispersion"], truth["halpha"], truth["nitrogen"] = 80.0, 100.0, -0.5
    for name, value in columns.items():
        truth[name] = value
    return truth


def test_a_redshift_moves_all_lines_by_the_same_number_of_pixels():
    wavelength = spectra.log_wavelengths()
    z = 10 ** (500 * spectra.STEP) - 1  # 500 pixels
    here, there = (spectra.render(galaxy(redshift=value), wavelength)[0] for value in (0.05, (1.05) * (1 + z) - 1))
    photons = wavelength * np.log(10) * spectra.STEP
    assert np.allclose((here * photons)[200:3000], (there * photons)[700:3500], atol=1e-9)


def test_each_line_has_its_flux_and_its_place():
    wavelength = spectra.log_wavelengths()
    flux = spectra.render(galaxy(redshift=0.1), wavelength)[0] * wavelength * np.log(10) * spectra.STEP
    near = np.abs(wavelength - spectra.LINES["Hβ"] * 1.1) < 30
    assert flux[near].sum() == pytest.approx(100 / 2.86, rel=1e-6)
    centre = np.average(wavelength[near], weights=flux[near])
    assert centre == pytest.approx(spectra.LINES["Hβ"] * 1.1, abs=0.02)
    lines = dict(zip(spectra.LINES, spectra.line_fluxes(galaxy())[0], strict=True))
    assert lines["[O III] 5007"] / lines["[O III] 4959"] == pytest.approx(2.98)
    assert flux.sum() == pytest.approx(sum(lines.values()), rel=1e-6)


def test_the_noise_is_what_it_is_said_to_be():
    wavelength = spectra.log_wavelengths()
    truth = np.repeat(galaxy(redshift=0.1), 400)
    clean = spectra.render(truth, wavelength)
    noisy = spectra.render(truth, wavelength, np.random.default_rng(0))
    ratio = (noisy - clean).std(axis=0) / spectra.noise(wavelength)
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert 0.8 < ratio.min() and ratio.max() < 1.2
    loud = wavelength[np.argmax(spectra.noise(wavelength))]
    assert loud == pytest.approx(spectra.air_to_vacuum(5577.338), abs=1.5)


def test_wavelengths_in_air_and_vacuum_agree_with_the_published_pairs():
    # Morton 1991, ApJS 77, 119, as tabulated for the Sloan survey: air, vacuum.
    for air, vacuum in ((4861.363, 4862.721), (4958.911, 4960.295), (5006.843, 5008.239), (6562.801, 6564.614)):
        assert spectra.air_to_vacuum(air) == pytest.approx(vacuum, abs=0.01)


def test_tables_are_as_asked_and_the_same_seed_gives_the_same():
    first, again = (spectra.draw_galaxies(200, np.random.default_rng(3), (0.1, 0.2), (20, 40)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first["redshift"].min() >= 0.1 and first["redshift"].max() <= 0.2
    assert first["halpha"].min() >= 20 and first["halpha"].max() <= 40
    for arguments in ({"redshift": (0.3, 0.1)}, {"halpha": (0, 1)}):
        with pytest.raises(ValueError, match="must go from"):
            spectra.draw_galaxies(3, np.random.default_rng(0), **arguments)
    with pytest.raises(ValueError, match="a positive one to a larger one"):
        spectra.log_wavelengths(5000, 4000)
