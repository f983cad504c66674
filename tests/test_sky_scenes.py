"""Fields of many objects: light is conserved, each object's share is known, the population is like the real sky's."""

import numpy as np
import pytest

from utils import sky
from utils.sky import scenes

SURVEY = sky.SURVEYS["HSC tile"]


@pytest.fixture(scope="module")
def field():
    rng = np.random.default_rng(1)
    return sky.render_field(sky.draw_field(256, SURVEY, rng), SURVEY, 256, rng)


def placed(*pixels, **columns):
    """A table of plain discs at pixels (x, y) of a field of 64."""
    truth = sky.empty_truth(len(pixels))
    for name, at in zip(("x_arcsec", "y_arcsec"), np.transpose(pixels), strict=True):
        truth[name] = (at - 31.5) * SURVEY.pixel_scale
    for name, value in columns.items():
        truth[name] = value
    return truth


# --- what each object adds ------------------------------------------------------------------------------------------


def test_contributions_add_up_to_the_light(field):
    total = sum(field.contribution(row) for row in range(len(field.objects)))
    assert total == pytest.approx(field.light, abs=1e-3 * 1.5)
    noise = (field.image - field.light)[field.segmentation == 0]
    assert np.abs(noise.mean()) < 0.02 and noise.std() == pytest.approx(1, abs=0.02)


def test_masks_boxes_areas_and_segmentation_agree(field):
    strongest = np.zeros(field.segmentation.shape, np.float32)
    for row, thing in enumerate(field.objects):
        mask = field.mask(row)
        x0, y0, x1, y1 = thing["box"]
        assert thing["area"] == mask.sum() == mask[y0:y1, x0:x1].sum()
        if mask.any():
            rows, columns = np.nonzero(mask)
            assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x0, y0, x1, y1)
        assert not np.any((field.segmentation == thing["label"]) & ~mask)
        np.maximum(strongest, sky.detection(field.contribution(row)), out=strongest)
    own = field.segmentation > 0
    assert np.array_equal(own, strongest > scenes.THRESHOLD)
    for label in np.unique(field.segmentation[own])[:20]:
        here = field.segmentation == label
        assert np.array_equal(sky.detection(field.contribution(label - 1))[here], strongest[here])


def test_flux_and_magnitude_of_a_star_are_those_of_its_truth():
    rng = np.random.default_rng(0)
    truth = scenes._stars(np.linspace(18, 26, 9), rng)
    seen = sky.render_field(truth, SURVEY, 256).objects
    assert seen["magnitude"] == pytest.approx(np.linspace(18, 26, 9), abs=0.02)  # at most 2 % in the wings of the PSF
    g_r = -2.5 * np.log10(seen["flux"][:, 0] / seen["flux"][:, 1])
    assert g_r == pytest.approx(truth["colour_old"], abs=0.02)


def test_a_star_is_the_psf():
    truth = scenes._stars(np.array([20.0]), np.random.default_rng(0))
    truth["x_arcsec"], truth["y_arcsec"] = 0.5 * SURVEY.pixel_scale, 0.5 * SURVEY.pixel_scale  # in a pixel's middle
    light = sky.render_field(truth, SURVEY, 64).light
    fine = (np.arange(320) - 162) / 5 * SURVEY.pixel_scale
    for band, fwhm in enumerate(SURVEY.psf_fwhm):
        psf = sky.profiles.moffat(np.hypot(fine[:, None], fine), fwhm, SURVEY.psf_beta)
        pixels = psf.reshape(64, 5, 64, 5).sum(axis=(1, 3))
        ours = light[:, :, band]
        assert ours[20:44, 20:44] / ours.max() == pytest.approx(pixels[20:44, 20:44] / pixels.max(), abs=1e-3)


@pytest.mark.parametrize("kind", sky.KINDS)
def test_stamps_hold_the_light(kind):
    """Bright and faint galaxies: their stamps miss less than 3 % of what much larger ones hold."""
    truth = sky.draw_population(np.repeat([18.5, 21.0, 24.0], 40), np.random.default_rng(2))
    truth = truth[truth["kind"] == kind]
    flux = sky.render_field(truth, SURVEY, 64).objects["flux"]
    large = sky.render(truth, SURVEY, 1024, chunk=1).sum(axis=(1, 2), dtype=float) * SURVEY.sky_noise
    assert np.all(flux > 0.93 * large) and np.all(np.median(flux / large, axis=0) > 0.98)
    assert np.all(flux < 1.01 * large)


def test_light_falls_below_what_counts_at_the_edge_of_a_stamp():
    rng = np.random.default_rng(3)
    field = sky.render_field(sky.draw_field(300, SURVEY, rng, magnitude=(18, 26)), SURVEY, 300)
    for stamp in field.stamps:
        shine = sky.detection(stamp)
        edge = np.concatenate([shine[0], shine[-1], shine[:, 0], shine[:, -1]])
        assert edge.max() < 2 * scenes.FAINTEST or len(stamp) == max(scenes.SIDES)


# --- edges and small cases ------------------------------------------------------------------------------------------


def test_an_object_at_the_edge_shines_into_the_field_as_far_as_it_reaches():
    inside = placed((31.0, 40.0), magnitude=21.0)
    whole = sky.render_field(inside, SURVEY, 64)
    shifted = sky.render_field(placed((-1.0, 40.0), magnitude=21.0), SURVEY, 64)  # 32 pixels to the left
    assert shifted.light[:, :30] == pytest.approx(whole.light[:, 32:62], abs=0.05)
    assert shifted.objects["flux"] == pytest.approx(whole.objects["flux"], rel=1e-3)  # all its light, seen or not
    x0, _, x1, _ = shifted.objects["box"][0]
    assert x0 == 0 and 0 < x1 < 64 and shifted.objects["x"][0] == pytest.approx(-1)
    assert shifted.objects["area"][0] == (sky.detection(shifted.light) > scenes.THRESHOLD).sum()


def test_an_object_far_outside_leaves_nothing():
    field = sky.render_field(placed((500.0, 40.0)), SURVEY, 64)
    assert not field.light.any() and not field.segmentation.any() and field.objects["area"][0] == 0
    assert field.objects["blendedness"][0] == 0 and not field.mask(0).any()


def test_an_empty_field_is_sky():
    field = sky.render_field(sky.empty_truth(0), SURVEY, 32, np.random.default_rng(0))
    assert not field.light.any() and len(field.objects) == len(field.stamps) == 0
    assert field.image.std() == pytest.approx(1, abs=0.05)
    assert sky.render_fields([], SURVEY, 32) == []
    assert len(sky.draw_field(8, SURVEY, np.random.default_rng(0), magnitude=(15, 15))) == 0


def test_one_object_owns_all_that_shines():
    field = sky.render_field(placed((30.0, 20.0), magnitude=22.0), SURVEY, 64)
    assert np.array_equal(field.segmentation == 1, field.mask(0))
    assert field.objects["blendedness"][0] == pytest.approx(0, abs=1e-6)
    y, x = np.nonzero(field.mask(0))
    assert (x.mean(), y.mean()) == pytest.approx((30, 20), abs=0.05)


def test_blendedness_grows_as_two_draw_near():
    values = []
    for apart in (24.0, 12.0, 6.0, 2.0):
        truth = placed((31.0, 31.0), (31.0 + apart, 31.0), magnitude=(22.0, 23.0), radius_arcsec=0.6)
        values.append(sky.render_field(truth, SURVEY, 64).objects["blendedness"])
    values = np.array(values)
    assert np.all(np.diff(values, axis=0) > 0) and np.all(values[:, 1] > values[:, 0])  # the fainter suffers more
    assert values[0].max() < 0.05 and values[-1, 1] > 0.5


def test_fields_drawn_together_are_those_drawn_alone():
    rng = np.random.default_rng(4)
    truths = [sky.draw_field(64, SURVEY, rng) for _ in range(3)]
    together = sky.render_fields(truths, SURVEY, 64, np.random.default_rng(5))
    one = sky.render_field(truths[0], SURVEY, 64, np.random.default_rng(5))
    assert np.array_equal(together[0].image, one.image) and np.array_equal(together[0].segmentation, one.segmentation)
    assert [field.objects["field"].tolist() for field in together] == [[n] * len(t) for n, t in enumerate(truths)]
    assert not np.array_equal(together[1].image, together[2].image)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: sky.draw_field(64, SURVEY, None, magnitude=(24, 20)), "magnitude must be .bright limit, faint limit."),
        (lambda: sky.draw_field(0, SURVEY, None), "size must be at least one pixel, got 0"),
        (lambda: sky.render_field(sky.empty_truth(1), SURVEY, 0), "size must be at least one pixel, got 0"),
        (lambda: sky.render_field(sky.empty_truth(1), SURVEY, 64, threshold=0), "threshold must be a positive number"),
        (lambda: sky.render_field(placed((31, 31), magnitude=np.nan), SURVEY, 64), "magnitude must be finite"),
    ],
)
def test_mistakes_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


# --- the population -------------------------------------------------------------------------------------------------


def test_the_population_of_a_field():
    truth = np.concatenate([sky.draw_field(512, SURVEY, np.random.default_rng(seed), (18, 26)) for seed in range(12)])
    stars = truth["kind"] == "star"
    area = 12 * ((512 * SURVEY.pixel_scale + 2 * scenes.MARGIN) / 60) ** 2
    assert stars.sum() == pytest.approx(area * scenes.STARS * 8, rel=0.15)
    i = (truth["magnitude"] - 0.5 * truth["colour_disc"])[~stars]
    assert 18 <= i.min() and i.max() <= 26.001
    counts = np.histogram(i, np.arange(22, 27))[0]
    slope = np.polyfit(np.arange(4), np.log10(counts), 1)[0]
    assert slope == pytest.approx(scenes.SLOPE, abs=0.03)
    at_24 = ((i > 23.5) & (i < 24.5)).sum() / area
    assert at_24 == pytest.approx(scenes.GALAXIES_AT_24, rel=0.1)
    for kind, share in scenes.FRACTIONS.items():
        assert np.mean(truth["kind"][~stars] == kind) == pytest.approx(share, abs=0.03)
    half = 256 * SURVEY.pixel_scale + scenes.MARGIN
    assert np.abs([truth["x_arcsec"], truth["y_arcsec"]]).max() <= half


def test_the_same_seed_draws_the_same_field():
    one, two, other = (sky.draw_field(128, SURVEY, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tobytes() == two.tobytes() != other.tobytes()


def test_making_galaxies_larger_spreads_their_light_and_keeps_it():
    truth = sky.draw_galaxies(8, np.random.default_rng(6), magnitude=(21, 21))
    truth["x_arcsec"] = truth["y_arcsec"] = truth["dust_depth"] = 0
    small = truth.copy()
    scenes._resize(small, np.full(8, 0.5))
    half = sky.render(small, SURVEY, 128).sum(axis=(1, 2))
    whole = sky.render(truth, SURVEY, 256).sum(axis=(1, 2))
    assert half == pytest.approx(whole, rel=0.02)
