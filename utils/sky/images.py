"""From the truth table to pixels."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from astropy.visualization import make_lupton_rgb
from scipy import fft

from utils.sky import profiles
from utils.sky.galaxies import TRUTH
from utils.sky.surveys import colour_weight, dust_law

CHUNK = 64  # galaxies drawn at a time: about 15 MB of work at 64 px
THREADS = min(4, os.cpu_count() or 1)
CORE = 16  # cells across the middle of a grid that are drawn again on a finer grid
REACH = 4  # coarse cells on either side that a fine cell hands its light to
WHITE = 0.45  # g - r of what is shown white
SHARES = ("bulge_fraction", "bar_fraction", "clump_fraction", "companion_fraction")  # the disc has the rest
SHARPEST = 3.2  # cells that the PSF must be wide, for its Fourier transform to end before the grid's does


def render(truth, survey, size=64, rng=None, chunk=CHUNK):
    """Picture every galaxy of a truth table, in the middle of its own stamp.

    Profiles are drawn on a grid (finer and finer towards the cusp in the middle), moved to their centres and convolved with
    the PSF and the pixel by Fourier transforms. Where a pixel is too coarse for the PSF, the grid is finer than the pixels.

    Parameters
    ----------
    truth : (n,) structured array
        With the columns of ``TRUTH``.
    survey : Survey
    size : int
        Side of a stamp [pixels].
    rng : numpy.random.Generator, optional
        Source of the noise: that of the sky and the Poisson noise of the galaxy's own light, both as normal deviates (good where
        a pixel holds more than a dozen electrons, ``survey.sky_electrons``). None: no noise, and the result is a function of
        truth and survey alone.
    chunk : int
        Galaxies drawn at a time. It bounds the memory and does not change the result.

    Returns
    -------
    (n, size, size, bands) float32 array
        In units of the survey's sky noise, the sky subtracted: the noise of an empty pixel is one.
        ``stamps * survey.sky_noise`` are fluxes.

    Raises
    ------
    ValueError
        For a table without the needed columns, values that no galaxy can have, or sizes that make no stamp.

    Examples
    --------
    >>> from utils.sky import SURVEYS, empty_truth
    >>> stamps = render(empty_truth(2), SURVEYS["HSC"], size=48)
    >>> stamps.shape, stamps.dtype
    ((2, 48, 48, 3), dtype('float32'))
    """
    _validate(truth, survey, size, chunk)
    grid = _Grid(truth, survey, size)
    images = np.empty((len(truth), size, size, len(survey.bands)), np.float32)
    pieces = [slice(start, start + chunk) for start in range(0, len(truth), chunk)]
    with ThreadPoolExecutor(THREADS) as threads:
        drawn = threads.map(lambda piece: grid.observe(truth[piece], out=images[piece]), pieces)
        for piece, _ in zip(pieces, drawn, strict=True):
            if rng is not None:  # in order, so that the noise hangs on the seed alone
                _add_noise(images[piece], survey, rng)
    return images


def colour(stamps, survey=None, stretch=10.0, softening=8.0, bands=(2, 1, 0)):
    """Colour pictures that keep both faint and bright parts visible (Lupton et al. 2004, PASP 116, 133).

    Parameters
    ----------
    stamps : (..., height, width, bands) array
        In units of the sky noise.
    survey : Survey, optional
        Whose noise they are in units of. With it a galaxy with g - r = 0.45 looks white, a redder one yellow, a bluer one
        blue; without it a noisy band looks dark.
    stretch, softening : float
        Brightness [sky noise] up to which the stretch is linear, and the Q of the asinh.
    bands : (int, int, int)
        Which bands are shown red, green and blue. The default suits three bands from blue to red.

    Returns
    -------
    (..., height, width, 3) uint8 array

    Examples
    --------
    >>> colour(np.zeros((5, 8, 8, 3))).shape
    (5, 8, 8, 3)
    """
    stamps = np.asarray(stamps)
    if stamps.ndim < 3 or stamps.shape[-1] <= max(bands):
        raise ValueError(f"colour needs (..., height, width, bands) with bands {bands}, got shape {stamps.shape}")
    weights = np.ones(stamps.shape[-1])
    if survey is not None:
        weights = survey.sky_noise * 10 ** (0.4 * WHITE * colour_weight(survey))
        weights /= weights[list(bands)].mean()
    flat = stamps.reshape(-1, *stamps.shape[-3:])
    pictures = np.empty((*flat.shape[:3], 3), np.uint8)
    for picture, stamp in zip(pictures, flat, strict=True):
        red, green, blue = (stamp[..., band] * weights[band] for band in bands)
        picture[:] = make_lupton_rgb(red, green, blue, minimum=-0.5, stretch=stretch, Q=softening)
    return pictures.reshape(*stamps.shape[:-1], 3)


def _validate(truth, survey, size, chunk):
    names = getattr(getattr(truth, "dtype", None), "names", None)
    if names is None or np.ndim(truth) != 1:
        raise ValueError("truth must be a table of one row a galaxy, as draw_galaxies or empty_truth make it")
    missing = [name for name in TRUTH.names if name not in names]
    if missing:
        raise ValueError(f"truth has no column {missing[0]!r}; start from empty_truth(n)")
    for name in ("radius_arcsec", "axis_ratio", "bulge_radius_arcsec", "bulge_index", "bulge_axis_ratio", "clump_size"):
        if not np.all(truth[name] > 0):
            raise ValueError(f"{name} must be positive, got {np.min(truth[name])}")
    if not np.all(np.isfinite(truth["magnitude"])):
        raise ValueError("magnitude must be finite")
    shares = np.array([truth[name] for name in SHARES])
    if np.any(shares < 0) or np.any(shares.sum(axis=0) > 1 + 1e-5):
        raise ValueError(f"{', '.join(SHARES)} must be shares of the light: not negative, at most 1 together")
    if size < 1:
        raise ValueError(f"size must be at least one pixel, got {size}")
    if chunk < 1:
        raise ValueError(f"chunk must be at least one galaxy, got {chunk}")
    furthest = max(np.abs(truth[name]).max(initial=0) for name in ("x_arcsec", "y_arcsec"))
    if not furthest <= size * survey.pixel_scale:
        raise ValueError(
            f"x_arcsec and y_arcsec must keep a galaxy near its stamp of {size * survey.pixel_scale:.1f} arcsec, got {furthest}"
        )


def _add_noise(images, survey, rng):
    """Sky noise of one, and the Poisson noise of the light itself, in place."""
    variance = np.maximum(images, 0)
    variance *= (1 / np.sqrt(survey.sky_electrons)).astype(np.float32)
    variance += 1
    np.sqrt(variance, out=variance)
    variance *= rng.standard_normal(images.shape, np.float32)
    images += variance


class _Grid:
    """The cells on which galaxies are drawn, and the PSF on them."""

    def __init__(self, truth, survey, size):
        self.survey, self.size = survey, size
        scale = survey.pixel_scale
        self.fine = math.ceil(SHARPEST * scale / min(survey.psf_fwhm))  # cells across a pixel
        self.cell = scale / self.fine
        # Wrapped round by the Fourier transform, light must not reach the stamp: a margin as wide as the PSF or the shift.
        shift = max(float(np.abs(truth[name]).max(initial=0)) for name in ("x_arcsec", "y_arcsec"))
        margin = math.ceil(max(2 * max(survey.psf_fwhm), shift + scale) / self.cell)
        self.cells = max(2 * fft.next_fast_len(math.ceil(size * self.fine / 2) + margin), 2 * CORE)
        self.psf = self._transform_of_psf()
        sky_noise = survey.sky_noise
        self.weight, self.dust = colour_weight(survey), dust_law(survey)
        self.to_noise = survey.flux(0.0) / sky_noise

    def _transform_of_psf(self):
        """(bands, cells, cells / 2 + 1) transform of PSF and cell, their centre on the first cell."""
        at = fft.fftfreq(self.cells, 1 / self.cells) * self.cell
        distance = np.hypot(at[:, None], at[None, :])
        beta = self.survey.psf_beta
        stack = [profiles.moffat(distance, fwhm, beta) * self.cell**2 for fwhm in self.survey.psf_fwhm]
        cell = np.sinc(fft.fftfreq(self.cells))[:, None] * np.sinc(fft.rfftfreq(self.cells))
        return (fft.rfft2(np.array(stack)) * cell).astype(np.complex64)

    def observe(self, rows, out):
        """Noise-free stamps of some rows, in units of the sky noise, written to out: (n, size, size, bands)."""
        light = self._bands(rows)
        spectrum = fft.rfft2(light, overwrite_x=True)
        spectrum *= self.psf
        # Galaxies are drawn around the middle of the grid, a corner of cells; the phase moves them to their centres.
        middle = -0.5 if (self.size * self.fine) % 2 else 0.0
        shift_y = rows["y_arcsec"] / self.cell + middle
        shift_x = rows["x_arcsec"] / self.cell + middle
        spectrum *= _phase(shift_y, fft.fftfreq(self.cells))[:, None, :, None]
        spectrum *= _phase(shift_x, fft.rfftfreq(self.cells))[:, None, None, :]
        seen = fft.irfft2(spectrum, overwrite_x=True)
        wide = self.size * self.fine
        first = (self.cells - wide + 1) // 2
        seen = seen[:, :, first : first + wide, first : first + wide]
        if self.fine > 1:
            seen = seen.reshape(*seen.shape[:2], self.size, self.fine, self.size, self.fine).sum(axis=(3, 5))
        np.copyto(out, np.moveaxis(seen, 1, -1))

    def _bands(self, rows):
        """(n, bands, cells, cells) light of each cell, in units of the sky noise, before the PSF."""
        old, disc, young, dust = self._components(rows)
        total = 10 ** (-0.4 * rows["magnitude"].astype(float))
        light = np.empty((len(rows), len(self.weight), self.cells, self.cells), np.float32)
        dusty = np.flatnonzero(rows["dust_depth"] > 0)
        depth = dust[dusty]
        for band, weight in enumerate(self.weight):
            flux = [
                (total * self.to_noise[band] * 10 ** (-0.4 * weight * rows[name]) * self.cell**2).astype(np.float32)
                for name in ("colour_old", "colour_disc", "colour_young")
            ]
            image = light[:, band]
            np.multiply(old, flux[0][:, None, None], out=image)
            image += disc * flux[1][:, None, None]
            image += young * flux[2][:, None, None]
            image[dusty] *= np.exp(depth * np.float32(-self.dust[band]))
        return light

    def _components(self, rows):
        """Old stars, disc, young stars, and the optical depth of dust: (n, cells, cells) each, per square arcsec."""
        shape = (len(rows), self.cells, self.cells)
        old, disc, young, dust = (np.zeros(shape, np.float32) for _ in range(4))
        has_bulge = rows["bulge_fraction"] > 0
        old[has_bulge] = self._draw(_Bulge(rows[has_bulge]), levels=6)[0]
        has_bar = rows["bar_fraction"] > 0
        old[has_bar] += self._draw(_Bar(rows[has_bar]), levels=0)[0]
        share = 1 - sum(rows[name] for name in SHARES)
        for part, chosen in ((_Face, ~rows["edge_on"]), (_Side, rows["edge_on"])):
            chosen = chosen & (share > 1e-6)
            if chosen.any():
                disc[chosen], young[chosen], dust[chosen] = self._draw(part(rows[chosen], share[chosen]), levels=3)
        has_companion = rows["companion_fraction"] > 0
        disc[has_companion] += self._draw(_Companion(rows[has_companion]), levels=0)[0]
        has_clumps = rows["clump_fraction"] > 0
        young[has_clumps] += self._clumps(rows[has_clumps])
        return old, disc, young, dust

    def _draw(self, part, levels):
        """(outputs, n, cells, cells) surface brightness of a part."""
        if part.n == 0:
            return np.zeros((part.outputs, 0, self.cells, self.cells), np.float32)
        return _sampled(part, self.cells, self.cell, levels)

    def _clumps(self, rows):
        """Gaussian clumps. A Gaussian is a product of one in x and one in y, so a stack of them is a matrix product."""
        angle = np.radians(rows["position_angle"])[:, None]
        cos, sin = np.cos(angle), np.sin(angle)
        x = rows["clump_x"] * cos - rows["clump_y"] * sin
        y = rows["clump_x"] * sin + rows["clump_y"] * cos
        width = np.maximum(rows["clump_size"], 0.5 * self.cell)[..., None]
        at = _coordinates(self.cells, self.cell)
        along_x = np.exp(-0.5 * np.square((at - x[..., None]) / width)) / width
        along_y = np.exp(-0.5 * np.square((at - y[..., None]) / width)) / width
        share = rows["clump_fraction"][:, None] * rows["clump_weight"] / np.float32(2 * np.pi)
        return np.matmul((along_y * share[..., None]).transpose(0, 2, 1), along_x)


def _coordinates(cells, cell):
    return ((np.arange(cells) - (cells - 1) / 2) * cell).astype(np.float32)


def _phase(shift, frequency):
    """(n, frequencies) factors that move an image by so many cells."""
    return np.exp(-2j * np.pi * shift[:, None].astype(float) * frequency).astype(np.complex64)


def _sampled(part, cells, cell, levels):
    """Surface brightness on a square grid around the origin, such that its sum with any smooth PSF is right.

    Where light varies little from cell to cell, its value in the middle of the cell does. The middle of the grid is drawn again
    with cells half as wide, and so on: where a profile has a cusp, the cells are as small as it needs. The light of the fine
    cells is then handed to the coarse ones around them with weights that keep its position and its spread.
    """
    at = _coordinates(cells, cell)
    values = part(at[None, None, :], at[None, :, None])
    if levels:
        light = values[: part.lights]
        core = slice(cells // 2 - CORE // 2, cells // 2 + CORE // 2)
        light[:, :, core, core] = 0
        fine = _sampled(part, 2 * CORE, cell / 2, levels - 1)[: part.lights]
        around = slice(core.start - REACH, core.stop + REACH)
        light[:, :, around, around] += _HAND_DOWN @ fine @ _HAND_DOWN.T
    return values


def _hand_down():
    """(CORE + 2 REACH, 2 CORE) shares of the fine cells' light for the coarse cells, along one axis.

    Lagrange weights for a source a quarter of a cell from the nearest middle: they keep its moments up to the seventh.
    """
    cells = np.arange(1 - REACH, REACH + 1)
    weights = [np.prod([(0.25 - other) / (cell - other) for other in cells if other != cell]) for cell in cells]
    shares = np.zeros((CORE + 2 * REACH, 2 * CORE), np.float32)
    for fine in range(2 * CORE):
        nearest, step = fine // 2 + REACH, 1 if fine % 2 else -1
        shares[nearest + step * cells, fine] = np.array(weights) / 2
    return shares


_HAND_DOWN = _hand_down()


class _Part:
    """A part of some galaxies: called with x, y in arcsec it returns (outputs, n, y, x) surface brightness."""

    outputs = lights = 1  # maps it makes, and how many of them are light

    def __init__(self, rows):
        self.rows, self.n = rows, len(rows)
        angle = np.radians(self.column("position_angle"))
        self.cos, self.sin = np.cos(angle), np.sin(angle)

    def column(self, name):
        return self.rows[name][:, None, None]

    def along_and_across(self, x, y):
        return x * self.cos + y * self.sin, y * self.cos - x * self.sin


class _Bulge(_Part):
    def __call__(self, x, y):
        u, v = self.along_and_across(x, y)
        light = profiles.sersic(
            u, v, self.column("bulge_radius_arcsec"), self.column("bulge_index"), self.column("bulge_axis_ratio")
        )
        return (light * self.column("bulge_fraction"))[None]


class _Bar(_Part):
    """A Gaussian four times as long as wide, in the plane of the disc."""

    def __call__(self, x, y):
        u, v = self.along_and_across(x, y)
        v = v / self.column("axis_ratio")
        angle = np.radians(self.column("bar_angle"))
        along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        light = profiles.sersic(along, across, self.column("bar_radius_arcsec"), np.float32(0.5), np.float32(0.25))
        return (light * (self.column("bar_fraction") / self.column("axis_ratio")))[None]


class _Companion(_Part):
    def __call__(self, x, y):
        u, v = self.along_and_across(x, y)
        u, v = u - self.column("companion_x"), v - self.column("companion_y")
        angle = np.radians(self.column("companion_angle"))
        along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        light = profiles.sersic(
            along, across, self.column("companion_radius_arcsec"), np.float32(1), self.column("companion_axis_ratio")
        )
        return (light * self.column("companion_fraction"))[None]


class _Face(_Part):
    """An exponential disc seen at an angle, with arms of young stars and dust on their inner edge."""

    outputs, lights = 3, 2

    def __init__(self, rows, share):
        super().__init__(rows)
        self.share = share[:, None, None]
        self.armed = rows["arm_strength"] > 0

    def __call__(self, x, y):
        u, v = self.along_and_across(x, y)
        radius, axis_ratio = self.column("radius_arcsec"), self.column("axis_ratio")
        disc = profiles.sersic(u, v, radius, np.float32(1), axis_ratio) * self.share
        out = np.zeros((3, *disc.shape), np.float32)
        out[0] = disc
        if self.armed.any():
            out[:, self.armed] = self._arms(disc[self.armed], u[self.armed], v[self.armed])
        return out

    def _arms(self, disc, u, v):
        column = {name: self.rows[name][self.armed][:, None, None] for name in self.rows.dtype.names}
        u, v = u / column["radius_arcsec"], v / (column["radius_arcsec"] * column["axis_ratio"])
        squared = u * u + v * v
        distance, angle = 2 * np.sqrt(squared), np.arctan2(v, u)
        pitch, phase = np.radians(column["arm_pitch"]), np.radians(column["arm_phase"])
        count, sharpness = column["arm_count"], column["arm_sharpness"]
        contrast = profiles.spiral_arms(distance, angle, count, pitch, phase, sharpness)
        behind = profiles.spiral_arms(distance, angle, count, pitch, phase - 0.45 / count, 2 * sharpness)
        outside = squared / (squared + np.float32(0.04))  # arms fade into the bulge
        young = disc * column["arm_strength"]
        dust = column["dust_depth"] * behind * outside * np.exp(-distance * np.float32(0.6))
        return np.stack([disc - young, young * (1 + outside * (contrast - 1)), dust])


class _Side(_Part):
    """A disc seen from its side, with a thin layer of dust."""

    outputs, lights = 3, 2

    def __init__(self, rows, share):
        super().__init__(rows)
        self.share = share[:, None, None]

    def __call__(self, x, y):
        u, v = self.along_and_across(x, y)
        length = self.column("radius_arcsec") / np.float32(1.678)
        height = length * self.column("axis_ratio")
        light = profiles.edge_on(u, v, length, height) * self.share
        dust = self.column("dust_depth") * np.exp(-np.abs(u) / (2 * length) - np.square(v / (np.float32(0.35) * height)))
        return np.stack([light, np.zeros_like(light), dust])
