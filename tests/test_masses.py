"""Galaxies with known mass: their light adds up to the galaxy's, and mass follows light as the populations have it."""

import numpy as np
import pytest

from utils import masses, sky


@pytest.fixture(scope="module")
def galaxies():
    return masses.observe(60, np.random.default_rng(0))


def test_shapes_and_types(galaxies):
    assert galaxies.images.shape == galaxies.clean.shape == (60, masses.SIZE, masses.SIZE, 3)
    assert galaxies.mass.shape == (60, masses.SIZE, masses.SIZE)
    assert galaxies.images.dtype == galaxies.mass.dtype == np.float32


def test_the_populations_add_up_to_the_galaxy(galaxies):
    whole = sky.render(galaxies.truth, masses.SURVEY, masses.SIZE)[..., masses.BANDS.index("r")]
    parts = galaxies.clean[..., masses.BANDS.index("r")]
    assert np.allclose(parts, whole, rtol=1e-3, atol=1e-3 * whole.max())


def test_the_noise_has_a_standard_deviation_of_one(galaxies):
    noise = galaxies.images - galaxies.clean
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.01)


def test_mass_over_light_lies_between_the_populations(galaxies):
    light = galaxies.clean[..., masses.BANDS.index("r")]
    bright = light > 10
    ratio = np.log10(galaxies.mass[bright] / light[bright])
    lowest, highest = min(masses.MASS_TO_LIGHT.values()), max(masses.MASS_TO_LIGHT.values())
    margin = masses.SLOPE * 5 * max(masses.SPREAD.values())
    assert ratio.min() > lowest - margin
    assert ratio.max() < highest + margin


def test_redder_pixels_are_heavier_for_their_light(galaxies):
    g, r = (galaxies.clean[..., i] * masses.SURVEY.sky_noise[i] for i in (0, 1))
    bright = galaxies.clean[..., 1] > 10
    colour = -2.5 * np.log10(g[bright] / r[bright])
    ratio = np.log10(galaxies.mass[bright] / galaxies.clean[..., 1][bright])
    assert np.corrcoef(colour, ratio)[0, 1] > 0.5


def test_the_same_seed_gives_the_same_galaxies():
    first, second = (masses.observe(3, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.images, second.images)
    assert np.array_equal(first.mass, second.mass)


def test_brighter_galaxies_are_asked_for():
    faint = masses.observe(20, np.random.default_rng(1), magnitude=(20, 20.5))
    bright = masses.observe(20, np.random.default_rng(1), magnitude=(18, 18.5))
    assert bright.clean.sum() > 3 * faint.clean.sum()
