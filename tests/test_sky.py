"""The simulated sky against analytic values: flux, size, shape, place, noise; and what it says of seeds and errors."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from scipy import integrate

from utils import sky
from utils.sky import profiles

HSC, HST = sky.SURVEYS["HSC"], sky.SURVEYS["HST"]


def sersic_galaxy(index=1.0, radius=1.0, axis_ratio=1.0, angle=0.0, **columns):
    """A table of one galaxy that is nothing but a Sersic profile of grey light."""
    truth = sky.empty_truth(1)
    truth["bulge_fraction"] = 1
    truth["bulge_index"], truth["bulge_radius_arcsec"], truth["bulge_axis_ratio"] = index, radius, axis_ratio
    truth["position_angle"] = angle
    for name, value in columns.items():
        truth[name] = value
    return truth


def fluxes(truth, survey, size=64):
    """(n, bands) flux in the stamp over the flux of the magnitude."""
    images = sky.render(truth, survey, size) * survey.sky_noise
    return images.sum(axis=(1, 2)) / survey.flux(truth["magnitude"].astype(float))[:, None]


def moments(image):
    """Centre (x, y) from the middle and second moments (xx, yy, xy) [pixels]."""
    height, width = image.shape
    x, y = np.arange(width) - (width - 1) / 2, (np.arange(height) - (height - 1) / 2)[:, None]
    total = image.sum()
    mean_x, mean_y = (image * x).sum() / total, (image * y).sum() / total
    dx, dy = x - mean_x, y - mean_y
    seconds = ((image * product).sum() / total for product in (dx * dx, dy * dy, dx * dy))
    return mean_x, mean_y, *seconds


# --- surveys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("survey", sky.SURVEYS.values(), ids=sky.SURVEYS)
def test_depth_is_five_sigma_of_a_star(survey):
    for fwhm, depth, noise in zip(survey.psf_fwhm, survey.depth, survey.sky_noise, strict=True):
        at = (np.arange(-200, 200) + 0.5) * fwhm / 20
        psf = profiles.moffat(np.hypot(at[:, None], at), fwhm, survey.psf_beta)
        squared = (psf**2).sum() * (fwhm / 20) ** 2 * survey.pixel_scale**2  # sum over pixels of P^2
        assert survey.flux(depth) / (noise / np.sqrt(squared)) == pytest.approx(5, rel=0.01)


def test_a_deeper_survey_has_less_noise():
    deeper = dataclasses.replace(HSC, depth=tuple(depth + 2.5 for depth in HSC.depth))
    assert deeper.sky_noise * 10 == pytest.approx(HSC.sky_noise)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"pixel_scale": -0.2}, "pixel_scale must be positive arcsec per pixel, got -0.2"),
        ({"pixel_scale": float("nan")}, "pixel_scale must be positive arcsec per pixel, got nan"),
        ({"psf_beta": 1.0}, "psf_beta must be above 1"),
        ({"psf_fwhm": (0.7, 0.7)}, "psf_fwhm needs one value for each of the bands"),
        ({"psf_fwhm": 0.7}, "psf_fwhm needs one value for each of the bands"),
        ({"psf_fwhm": (0.7, 0.0, 0.7)}, "psf_fwhm must be positive arcsec"),
        ({"depth": (26.0, float("inf"), 26.0)}, "depth must be finite"),
        ({"wavelengths": (480.0, -1.0, 770.0)}, "wavelengths must be positive nm"),
        ({"bands": ()}, "bands must name at least one band"),
    ],
)
def test_impossible_surveys_are_refused(change, text):
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        dataclasses.replace(HSC, **change)


# --- profiles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0.5, 1.0, 2.5, 4.0, 6.0])
def test_sersic_holds_half_its_light_within_the_effective_radius(index):
    def ring(t):  # r = t^4 takes the cusp away
        r = t**4
        return 4 * t**3 * 2 * np.pi * r * profiles.sersic(np.float64(r), np.float64(0), 2.0, index, 1.0)

    half, total = (integrate.quad(ring, 0, end**0.25, limit=200)[0] for end in (2.0, 2e5))
    assert half == pytest.approx(0.5, rel=1e-6)
    assert total == pytest.approx(1.0, rel=1e-4)


def test_an_edge_on_disc_is_an_exponential_disc_seen_from_its_side():
    x = np.array([0.0, 0.3, 1.0, 2.5])
    along_the_line_of_sight = [
        integrate.quad(lambda s, x=x_: np.exp(-np.hypot(x, s)), -40, 40, points=[0])[0] / (2 * np.pi) for x_ in x
    ]
    seen = profiles.edge_on(x, np.zeros(4), 1.0, 0.2) * 2 * 0.2  # times the integral of sech^2
    assert seen == pytest.approx(along_the_line_of_sight, rel=1e-3)
    height = profiles.edge_on(np.zeros(2), np.array([0.0, 0.2 * np.arccosh(np.sqrt(2))]), 1.0, 0.2)
    assert height[1] / height[0] == pytest.approx(0.5)


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_arms_move_light_but_add_none(count, sharpness):
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    ring = profiles.spiral_arms(1.7, angle, count, 0.3, 0.4, sharpness)
    assert ring.mean() == pytest.approx(1)
    ridge = 0.4 + np.log(1.7) / np.tan(0.3)
    assert profiles.spiral_arms(1.7, ridge, count, 0.3, 0.4, sharpness) == pytest.approx(ring.max(), rel=1e-4)


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("survey", sky.SURVEYS.values(), ids=sky.SURVEYS)
def test_total_flux_of_random_sersic_galaxies(survey):
    rng = np.random.default_rng(1)
    truth = np.concatenate([sersic_galaxy() for _ in range(12)])
    truth["bulge_index"] = rng.uniform(0.5, 2, 12)
    truth["bulge_radius_arcsec"] = rng.uniform(1.5, 4, 12) * survey.pixel_scale
    truth["bulge_axis_ratio"] = rng.uniform(0.3, 1, 12)
    truth["position_angle"] = rng.uniform(0, 180, 12)
    truth["magnitude"] = rng.uniform(17, 24, 12)
    truth["x_arcsec"], truth["y_arcsec"] = rng.uniform(-2, 2, (2, 12)) * survey.pixel_scale
    assert fluxes(truth, survey, 96) == pytest.approx(1, abs=0.012)  # 0.8 % of a star lies outside the stamp


@pytest.mark.parametrize("kind", sky.KINDS)
def test_total_flux_of_every_kind(kind):
    rng = np.random.default_rng(2)
    truth = sky.draw_galaxies(20, rng, kinds=(kind,), magnitude=(22, 24))
    for name in ("colour_old", "colour_disc", "colour_young", "dust_depth", "x_arcsec", "y_arcsec"):
        truth[name] = 0
    truth["bulge_index"] = np.minimum(truth["bulge_index"], 2)  # no wings beyond the stamp
    assert fluxes(truth, HSC, 160) == pytest.approx(1, abs=0.015)


def test_half_light_radius_axis_ratio_and_angle():
    rng = np.random.default_rng(3)
    for _ in range(6):
        radius, axis_ratio, angle = rng.uniform(1, 1.2), rng.uniform(0.5, 1), rng.uniform(0, 180)
        truth = sersic_galaxy(0.5, radius, axis_ratio, angle)
        image = sky.render(truth, HST, 144)[0, :, :, 1] * HST.sky_noise[1] / HST.flux(20.0)
        at = (np.arange(144) - 71.5) * HST.pixel_scale
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        u, v = at * c + at[:, None] * s, (at[:, None] * c - at * s) / axis_ratio
        assert image[np.hypot(u, v) < radius].sum() == pytest.approx(0.5, abs=0.012)
        bright = np.where(image > 1e-3 * image.max(), image, 0)  # without the wings of the PSF
        _, _, xx, yy, xy = moments(bright)
        small, large = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
        assert np.sqrt(small / large) == pytest.approx(axis_ratio, abs=0.02)
        if axis_ratio < 0.9:
            measured = np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)) % 180
            assert min(abs(measured - angle), 180 - abs(measured - angle)) < 1


@pytest.mark.parametrize("size", [40, 41])
@pytest.mark.parametrize("survey", sky.SURVEYS.values(), ids=sky.SURVEYS)
def test_a_galaxy_lies_where_the_truth_says(survey, size):
    scale = survey.pixel_scale
    truth = sersic_galaxy(1.0, 2 * scale, 1.0, x_arcsec=2.3 * scale, y_arcsec=-1.6 * scale)
    image = sky.render(truth, survey, size)[0, :, :, 0]
    x, y, *_ = moments(image[: size - 4 + 0, 4:])  # a window centred about on the galaxy
    assert (x + 2, y - 2) == pytest.approx((2.3, -1.6), abs=0.05)


def test_a_galaxy_may_lie_at_the_edge_and_does_not_wrap_round():
    truth = sersic_galaxy(1.0, 0.3, 1.0, x_arcsec=32 * HSC.pixel_scale)
    image = sky.render(truth, HSC, 64)[0, :, :, 1]
    assert image[:, :16].max() < 1e-3 * image.max()
    assert image.sum() * HSC.sky_noise[1] / HSC.flux(20.0) == pytest.approx(0.5, abs=0.01)
    truth["x_arcsec"], truth["y_arcsec"] = -40, 1000
    assert np.abs(sky.render(truth, HSC, 64)).max() < 1e-3 * image.max()


def test_a_quarter_turn_of_the_galaxy_is_a_quarter_turn_of_the_picture():
    truth = sky.draw_galaxies(8, np.random.default_rng(4))
    truth["x_arcsec"] = truth["y_arcsec"] = 0
    turned = truth.copy()
    turned["position_angle"] += 90
    before, after = sky.render(truth, HSC), sky.render(turned, HSC)
    assert after == pytest.approx(np.rot90(before, -1, axes=(1, 2)), abs=2e-3 * float(before.max()))


def test_the_same_galaxies_through_two_surveys():
    truth = sky.draw_galaxies(8, np.random.default_rng(5), magnitude=(21, 22))
    one, two = sky.SURVEYS["DES"], dataclasses.replace(sky.SURVEYS["DES"], depth=(24.0, 24.0, 24.0))
    seen_by_one, seen_by_two = (sky.render(truth, survey) * survey.sky_noise for survey in (one, two))
    assert seen_by_one == pytest.approx(seen_by_two, rel=1e-4, abs=1e-3)


def test_old_stars_are_red_young_ones_blue_and_dust_reddens():
    truth = sky.empty_truth(3)
    truth["colour_disc"] = 0.7, 0.2, 0.2
    truth["arm_strength"], truth["arm_sharpness"], truth["arm_count"] = 0.3, 2, 2
    truth["colour_young"] = truth["colour_disc"]
    truth["dust_depth"] = 0, 0, 1
    flux = fluxes(truth, HSC)
    colour = -2.5 * np.log10(flux[:, 0] / flux[:, 1])
    assert colour[:2] == pytest.approx([0.7, 0.2], abs=0.01)
    assert colour[2] > 0.22 and flux[2, 1] < 0.95 * flux[1, 1]


# --- noise, seeds, memory ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("survey", sky.SURVEYS.values(), ids=sky.SURVEYS)
def test_the_noise_of_an_empty_sky_is_one(survey):
    truth = sky.empty_truth(40)
    truth["magnitude"] = 60
    stamps = sky.render(truth, survey, 32, np.random.default_rng(6))
    assert stamps.std(axis=(0, 1, 2)) == pytest.approx(1, abs=0.015)
    assert stamps.mean(axis=(0, 1, 2)) == pytest.approx(0, abs=0.02)
    neighbours = (stamps[:, :, 1:] * stamps[:, :, :-1]).mean()
    assert abs(neighbours) < 0.02


def test_light_adds_its_poisson_noise():
    bright = np.repeat(sersic_galaxy(1.0, 1.0, magnitude=17), 300)
    clean = sky.render(bright[:1], HSC, 16)[0]
    noisy = sky.render(bright, HSC, 16, np.random.default_rng(7))
    electrons = np.sqrt(HSC.sky_electrons)  # electrons worth one unit of the stamps
    expected = 1 + clean / electrons  # variance of a Poisson number, in those units
    assert expected.max() > 1.5
    assert (noisy.var(axis=0) / expected).mean(axis=(0, 1)) == pytest.approx(1, abs=0.02)


def test_same_seed_same_bytes_and_the_chunk_does_not_matter():
    truth = sky.draw_galaxies(50, np.random.default_rng(8))
    assert truth.tobytes() == sky.draw_galaxies(50, np.random.default_rng(8)).tobytes()
    before = truth.tobytes()
    pictures = [sky.render(truth, HSC, 24, np.random.default_rng(9), chunk=chunk) for chunk in (64, 64, 7, 1)]
    assert pictures[0].tobytes() == pictures[1].tobytes()
    for other in pictures[2:]:  # libraries may round the last bit differently in a batch of another length
        assert other == pytest.approx(pictures[0], rel=1e-4, abs=1e-4)
    assert truth.tobytes() == before
    assert sky.render(truth[10:20], HSC, 24) == pytest.approx(sky.render(truth, HSC, 24)[10:20], rel=1e-4, abs=1e-4)


def test_memory_does_not_grow_with_the_number_of_galaxies():
    def work(n):
        truth = sky.draw_galaxies(n, np.random.default_rng(10))
        tracemalloc.start()
        stamps = sky.render(truth, HSC, 24, np.random.default_rng(11), chunk=16)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - stamps.nbytes

    assert work(800) < 2 * work(160)


def test_no_galaxies_no_stamps():
    assert sky.render(sky.empty_truth(0), HSC, 16, np.random.default_rng(0)).shape == (0, 16, 16, 3)
    assert len(sky.draw_galaxies(0, np.random.default_rng(0))) == 0


# --- the draw ---------------------------------------------------------------------------------------------------------


def test_kinds_are_balanced_and_all_can_be_told_from_the_truth():
    truth = sky.draw_galaxies(400, np.random.default_rng(12), magnitude=(19, 21))
    assert [int((truth["kind"] == kind).sum()) for kind in sky.KINDS] == [100] * 4
    assert truth["magnitude"].min() >= 19 and truth["magnitude"].max() <= 21
    assert np.array_equal(truth["edge_on"], truth["kind"] == "edge-on")
    assert np.all(truth["bulge_fraction"][truth["kind"] == "elliptical"] == 1)
    assert truth["clump_weight"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert 30 < (truth["companion_fraction"] > 0).sum() < 70  # about half of the irregulars are mergers


def test_upright_galaxies_lie_along_the_x_axis():
    truth = sky.draw_galaxies(40, np.random.default_rng(13), upright=True)
    assert np.all(truth["position_angle"] == 0) and np.all(truth["arm_phase"] == 0)
    edge = truth[truth["kind"] == "edge-on"]
    _, _, xx, yy, _ = moments(sky.render(edge, HSC)[0, :, :, 1])
    assert xx > 3 * yy


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda rng: sky.draw_galaxies(3, rng, kinds=("spirals",)), "taken from elliptical, spiral, .* got 'spirals'"),
        (lambda rng: sky.draw_galaxies(3, rng, kinds=()), "kinds must be taken from"),
        (lambda rng: sky.draw_galaxies(-1, rng), "n must not be negative, got -1"),
        (lambda rng: sky.draw_galaxies(3, rng, magnitude=(24, 20)), "the smaller number first"),
        (lambda rng: sky.render(sky.empty_truth(1), HSC, 0), "size must be at least one pixel, got 0"),
        (lambda rng: sky.render(sky.empty_truth(1), HSC, chunk=0), "chunk must be at least one galaxy, got 0"),
        (lambda rng: sky.render(np.zeros(3), HSC), "truth must be a table"),
        (lambda rng: sky.render(np.zeros(3, [("magnitude", "f4")]), HSC), "truth has no column 'kind'"),
        (lambda rng: sky.render(sersic_galaxy(radius=-1.0), HSC), "bulge_radius_arcsec must be positive, got -1.0"),
        (lambda rng: sky.render(sersic_galaxy(magnitude=np.nan), HSC), "magnitude must be finite"),
        (lambda rng: sky.render(sersic_galaxy(bar_fraction=0.5), HSC), "must be shares of the light"),
        (lambda rng: sky.render(sersic_galaxy(x_arcsec=np.inf), HSC), "x_arcsec must be finite"),
        (lambda rng: sky.colour(np.zeros((8, 8, 2))), "colour needs"),
        (lambda rng: sky.colour(np.zeros((8, 8))), "colour needs"),
    ],
)
def test_mistakes_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call(np.random.default_rng(0))


def test_colour_pictures():
    truth = np.concatenate([sersic_galaxy(colour_old=value, magnitude=19) for value in (0.9, 0.45, 0.0)])
    pictures = sky.colour(sky.render(truth, HSC), HSC)
    assert pictures.shape == (3, 64, 64, 3) and pictures.dtype == np.uint8
    ring = pictures[:, 26:38, 26:38].reshape(3, -1, 3).mean(axis=1)
    assert ring[0, 0] > ring[0, 2] + 20 and ring[2, 2] > ring[2, 0] + 20  # red is red, blue is blue
    assert abs(ring[1, 0] - ring[1, 2]) < 25
