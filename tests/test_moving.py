"""Moving galaxies on the sky gives what moving the noise-free picture gives."""

import numpy as np
import pytest

from utils import moving, sky

SURVEY = sky.SURVEYS["HSC"]


@pytest.fixture(scope="module")
def truth():
    return sky.draw_galaxies(24, np.random.default_rng(5), magnitude=(18, 20))


@pytest.fixture(scope="module")
def stamps(truth):
    return sky.render(truth, SURVEY, 48)


def assert_alike(got, want):
    for one, other in zip(got, want, strict=True):
        assert abs(one - other).max() < 0.02 * other.max()


def test_a_quarter_turn_is_that_of_the_pixels(truth, stamps):
    assert_alike(sky.render(moving.moved(truth, angle=90), SURVEY, 48), np.rot90(stamps, axes=(1, 2)))


def test_a_mirror_is_that_of_the_pixels(truth, stamps):
    assert_alike(sky.render(moving.moved(truth, mirror=True), SURVEY, 48), stamps[:, :, ::-1])


def test_mirror_and_turn_follow_each_other(truth, stamps):
    want = np.rot90(stamps[:, :, ::-1], 3, axes=(1, 2))
    assert_alike(sky.render(moving.moved(truth, mirror=True, angle=270), SURVEY, 48), want)


def test_a_shift_by_pixels_is_that_of_the_pixels(truth, stamps):
    shift = (2 * SURVEY.pixel_scale, -3 * SURVEY.pixel_scale)
    got = sky.render(moving.moved(truth, shift=shift), SURVEY, 48)
    assert_alike(got[:, 8:40, 8:40], stamps[:, 6:38, 11:43])


def test_a_zoom_keeps_the_surface_brightness():
    truth = sky.empty_truth(1)
    truth["magnitude"], truth["radius_arcsec"] = 18, 2.0
    small, large = (sky.render(table, SURVEY, 161)[0] for table in (truth, moving.moved(truth, zoom=2)))
    assert large.sum() / small.sum() == pytest.approx(4, rel=0.05)
    assert large[80, 80 + 30, 1] / small[80, 80 + 15, 1] == pytest.approx(1, rel=0.05)


def test_four_quarter_turns_lead_back(truth):
    new = truth
    for _ in range(4):
        new = moving.moved(new, angle=90)
    for column in truth.dtype.names:
        if column == "position_angle":
            apart = (new[column] - truth[column] + 180) % 360 - 180
            assert abs(apart).max() < 1e-3
        elif column != "kind":
            assert np.allclose(new[column], truth[column], atol=1e-5)


def test_a_zoom_has_to_be_positive(truth):
    with pytest.raises(ValueError, match="zoom must be positive"):
        moving.moved(truth, zoom=0)
