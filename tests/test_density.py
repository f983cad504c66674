"""Maps of matter and gas have the statistics that they are said to have, and no edges."""

import numpy as np
import pytest

from utils import density


def binned_power(maps, low, high):
    side = maps.shape[-1]
    power = np.mean(np.abs(np.fft.fft2(maps)) ** 2, axis=0) * density.PIXEL**2 / side**2
    k = density.wavenumbers(side)
    return power[(k >= low) & (k < high)].mean()


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.5), (2, 3), (5, 6)])
def test_a_field_has_the_spectrum_it_was_drawn_from(low, high):
    maps = density.gaussian_field(60, 64, np.random.default_rng(1))
    k = density.wavenumbers(64)
    expected = density.input_spectrum(k[(k >= low) & (k < high)]).mean()
    assert binned_power(maps, low, high) == pytest.approx(expected, rel=0.1)


def test_wavenumbers_are_those_of_fft2():
    x = np.arange(16) * density.PIXEL
    wave = np.cos(2 * np.pi * 3 * x / (16 * density.PIXEL))[:, None] * np.ones(16)
    strongest = np.argmax(np.abs(np.fft.fft2(wave)))
    assert density.wavenumbers(16).flat[strongest] == pytest.approx(2 * np.pi * 3 / (16 * density.PIXEL))


def test_matter_is_positive_and_its_mean_is_one():
    matter = density.dark_matter(200, 32, np.random.default_rng(2))
    assert matter.min() > 0
    assert matter.mean() == pytest.approx(1, abs=0.05)


def test_light_is_a_share_and_dark_where_matter_is():
    matter = density.dark_matter(50, 32, np.random.default_rng(3))
    light = density.transmitted(matter)
    assert light.min() > 0
    assert light.max() < 1
    gas = density.smoothed(matter, density.JEANS)
    assert light[gas > 2].mean() < light[gas < 0.5].mean() - 0.3


def test_a_box_has_no_edges():
    matter = density.dark_matter(3, 24, np.random.default_rng(4))
    moved = np.roll(matter, (5, -7), axis=(1, 2))
    assert np.allclose(density.transmitted(moved), np.roll(density.transmitted(matter), (5, -7), axis=(1, 2)))


def test_smoothing_keeps_the_mean_and_takes_small_structures():
    maps = density.gaussian_field(10, 32, np.random.default_rng(5))
    smooth = density.smoothed(maps, 0.5)
    assert np.allclose(smooth.mean(axis=(1, 2)), maps.mean(axis=(1, 2)))
    assert binned_power(smooth, 6, 8) < 0.01 * binned_power(maps, 6, 8)
