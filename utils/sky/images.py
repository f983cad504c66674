"""From the truth table to pixels."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from astropy.visualization import make_lupton_rgb
from scipy import fft

from utils.sky import parts, profiles
from utils.sky.galaxies import TRUTH
from utils.sky.surveys import colour_weight, dust_law

CHUNK = 64  # galaxies drawn at a time: about 15 MB of work at 64 px
THREADS = min(4, os.cpu_count() or 1)
CORE = 16  # cells across the middle of a grid that are drawn again on a finer grid
REACH = 4  # coarse cells on either side that a fine cell hands its light to
WHITE = 0.45  # g - r of what is shown white
SHARES = ("bulge_fraction", "bar_fraction", "clump_fraction", "companion_fraction")  # the disc has the rest
SHARPEST = 3.1  # cells that the PSF must be wide, for its Fourier transform to end before the grid's does


def render(truth, survey, size=64, rng=None, chunk=CHUNK):
    """Picture every galaxy of a truth table, in the middle of its own stamp.

    Profiles are drawn on a grid (finer and finer towards the cusp in the middle), moved to their centres and convolved
    with the PSF and the pixel by Fourier transforms. Where a pixel is too coarse for the PSF, the grid is finer than
    the pixels.

    Parameters
    ----------
    truth : (n,) structured array
        With the columns of ``TRUTH``.
    survey : Survey
    size : int
        Side of a stamp [pixels].
    rng : numpy.random.Generator, optional
        Source of the noise: that of the sky and the Poisson noise of the galaxy's own light, both as normal deviates
        (good where a pixel holds more than a dozen electrons, ``survey.sky_electrons``). None: no noise, and the result
        is a function of truth and survey alone.
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
    _validate(truth, size, chunk)
    grid = _Grid(survey, size)
    images = np.empty((len(truth), size, size, len(survey.bands)), np.float32)
    pieces = [slice(start, start + chunk) for start in range(0, len(truth), chunk)]
    with ThreadPoolExecutor(THREADS) as threads:
        drawn = threads.map(lambda piece: grid.observe(truth[piece], out=images[piece]), pieces)
        for piece, _ in zip(pieces, drawn, strict=True):
            if rng is not None:  # in order, so that the noise hangs on the seed alone
                add_noise(images[piece], survey, rng)
    return images


def colour(stamps, survey=None, stretch=10.0, softening=8.0, bands=(2, 1, 0)):
    """Colour pictures that keep both faint and bright parts visible (Lupton et al. 2004, PASP 116, 133).

    Parameters
    ----------
    stamps : (..., height, width, bands) array
        In units of the sky noise.
    survey : Survey, optional
        Whose noise they are in units of. With it a galaxy with g - r = 0.45 looks white, a redder one yellow, a bluer
        one blue; without it a noisy band looks dark.
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


def _validate(truth, size, chunk):
    names = getattr(getattr(truth, "dtype", None), "names", None)
    if names is None or np.ndim(truth) != 1:
        raise ValueError("truth must be a table of one row a galaxy, as draw_galaxies or empty_truth make it")
    missing = [name for name in TRUTH.names if name not in names]
    if missing:
        raise ValueError(f"truth has no column {missing[0]!r}; start from empty_truth(n)")
    for name in ("radius_arcsec", "axis_ratio", "bulge_radius_arcsec", "bulge_index", "bulge_axis_ratio", "clump_size"):
        if not np.all(truth[name] > 0):
            raise ValueError(f"{name} must be positive, got {np.min(truth[name])}")
    for name in ("magnitude", "x_arcsec", "y_arcsec", "position_angle"):
        if not np.all(np.isfinite(truth[name])):
            raise ValueError(f"{name} must be finite")
    shares = np.array([truth[name] for name in SHARES])
    if np.any(shares < 0) or np.any(shares.sum(axis=0) > 1 + 1e-5):
        raise ValueError(f"{', '.join(SHARES)} must be shares of the light: not negative, at most 1 together")
    if size < 1:
        raise ValueError(f"size must be at least one pixel, got {size}")
    if chunk < 1:
        raise ValueError(f"chunk must be at least one galaxy, got {chunk}")


def add_noise(images, survey, rng):
    """Sky noise of one, and the Poisson noise of the light itself, in place."""
    variance = np.maximum(images, 0)
    variance *= (1 / np.sqrt(survey.sky_electrons)).astype(np.float32)
    variance += 1
    np.sqrt(variance, out=variance)
    variance *= rng.standard_normal(images.shape, np.float32)
    images += variance


class _Grid:
    """The cells on which galaxies are drawn, and the PSF on them."""

    def __init__(self, survey, size):
        self.survey, self.size = survey, size
        self.fine = math.ceil(SHARPEST * survey.pixel_scale / min(survey.psf_fwhm))  # cells across a pixel
        self.cell = survey.pixel_scale / self.fine
        # The Fourier transform wraps light round: the margin keeps that away from the stamp.
        wide = size * self.fine
        margin = math.ceil(2 * max(survey.psf_fwhm) / self.cell)
        self.cells = 2 * fft.next_fast_len(math.ceil(wide / 2) + margin)
        self.first = (self.cells - wide) // 2  # first cell of the stamp
        self.middle = self.first + wide / 2
        self.psf = self._transform_of_psf()
        self.weight, self.dust = colour_weight(survey), dust_law(survey)
        self.to_noise = survey.flux(0.0) / survey.sky_noise

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
        # Galaxies are drawn around a corner of cells; a phase moves them by the fraction of a cell that is left.
        centre = np.stack([rows["y_arcsec"], rows["x_arcsec"]], axis=1).astype(float) / self.cell + self.middle
        corner = np.rint(centre).astype(int)
        left_y, left_x = (centre - corner).T
        spectrum = fft.rfft2(self._bands(rows, corner), overwrite_x=True)
        spectrum *= self.psf
        spectrum *= _phase(left_y, fft.fftfreq(self.cells))[:, None, :, None]
        spectrum *= _phase(left_x, fft.rfftfreq(self.cells))[:, None, None, :]
        seen = fft.irfft2(spectrum, overwrite_x=True)
        stamp = slice(self.first, self.first + self.size * self.fine)
        seen = seen[:, :, stamp, stamp]
        if self.fine > 1:
            seen = seen.reshape(*seen.shape[:2], self.size, self.fine, self.size, self.fine).sum(axis=(3, 5))
        np.copyto(out, np.moveaxis(seen, 1, -1))

    def _bands(self, rows, corner):
        """(n, bands, cells, cells) light of each cell, in units of the sky noise, before the PSF."""
        old, disc, young, dust = self._components(rows, corner)
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

    def _components(self, rows, corner):
        """Old stars, disc, young stars, and the optical depth of dust: (n, cells, cells) each, per square arcsec."""
        shape = (len(rows), self.cells, self.cells)
        old, disc, young, dust = (np.zeros(shape, np.float32) for _ in range(4))
        has_bulge = rows["bulge_fraction"] > 0
        old[has_bulge] = self._draw(parts.Bulge(rows[has_bulge]), corner[has_bulge], levels=6)[0]
        has_bar = rows["bar_fraction"] > 0
        old[has_bar] += self._draw(parts.Bar(rows[has_bar]), corner[has_bar], levels=2)[0]
        share = 1 - sum(rows[name] for name in SHARES)
        for kind, chosen in ((parts.Face, ~rows["edge_on"]), (parts.Side, rows["edge_on"])):
            chosen = chosen & (share > 1e-6)
            if chosen.any():
                drawn = self._draw(kind(rows[chosen], share[chosen]), corner[chosen], levels=3)
                disc[chosen], young[chosen], dust[chosen] = drawn
        has_companion = rows["companion_fraction"] > 0
        disc[has_companion] += self._draw(parts.Companion(rows[has_companion]), corner[has_companion])[0]
        has_clumps = rows["clump_fraction"] > 0
        young[has_clumps] += self._clumps(rows[has_clumps], corner[has_clumps])
        return old, disc, young, dust

    def _draw(self, part, corner, levels=0):
        """(outputs, n, cells, cells) surface brightness of a part, such that its sum with any smooth PSF is right.

        Where light varies little from cell to cell, its value in the middle of the cell does. Around the galaxy's
        centre the light is drawn on finer cells, see ``_core``.
        """
        if part.n == 0:
            return np.zeros((part.outputs, 0, self.cells, self.cells), np.float32)
        y, x = self._positions(corner)
        values = part(x[:, None, :], y[:, :, None])
        if levels:
            light, core = values[: part.lights], _core(part, self.cell, levels)
            for row, (down, right) in enumerate(corner):
                y_of, y_in = _overlap(down, CORE // 2, self.cells)
                x_of, x_in = _overlap(right, CORE // 2, self.cells)
                light[:, row, y_in, x_in] = 0
                y_of, y_in = _overlap(down, CORE // 2 + REACH, self.cells)
                x_of, x_in = _overlap(right, CORE // 2 + REACH, self.cells)
                light[:, row, y_in, x_in] += core[:, row, y_of, x_of]
        return values

    def _positions(self, corner):
        """y and x of the middles of cells from the centre of each galaxy, (n, cells) each [arcsec]."""
        middles = np.arange(self.cells) + 0.5
        return (((middles - axis[:, None]) * self.cell).astype(np.float32) for axis in corner.T)

    def _clumps(self, rows, corner):
        """Gaussian clumps. A Gaussian is a product of one in x and one in y, so a stack of them is a matrix product."""
        angle = np.radians(rows["position_angle"])[:, None]
        cos, sin = np.cos(angle), np.sin(angle)
        x = rows["clump_x"] * cos - rows["clump_y"] * sin
        y = rows["clump_x"] * sin + rows["clump_y"] * cos
        width = np.maximum(rows["clump_size"], 0.6 * self.cell)[..., None]
        at_y, at_x = self._positions(corner)
        along_x = np.exp(-0.5 * np.square((at_x[:, None, :] - x[..., None]) / width)) / width
        along_y = np.exp(-0.5 * np.square((at_y[:, None, :] - y[..., None]) / width)) / width
        share = rows["clump_fraction"][:, None] * rows["clump_weight"] / np.float32(2 * np.pi)
        return np.matmul((along_y * share[..., None]).transpose(0, 2, 1), along_x)


def _phase(shift, frequency):
    """(n, frequencies) factors that move an image by so many cells."""
    return np.exp(-2j * np.pi * shift[:, None] * frequency).astype(np.complex64)


def _overlap(centre, reach, cells):
    """Slices of a patch that reaches so far on both sides of a centre, and of the grid, where both are."""
    start, stop = max(centre - reach, 0), min(centre + reach, cells)
    stop = max(start, stop)
    return slice(start - centre + reach, stop - centre + reach), slice(start, stop)


def _core(part, cell, levels):
    """(lights, n, CORE + 2 REACH, CORE + 2 REACH) light of the middle of galaxies, drawn on cells half as wide.

    The middle of these is drawn again on cells half as wide, and so on: where a profile has a cusp, the cells are as
    small as it needs. The light of fine cells is handed to the coarse ones around them with weights that keep its
    position and spread.
    """
    at = ((np.arange(2 * CORE) - CORE + 0.5) * (cell / 2)).astype(np.float32)
    light = part(at[None, None, :], at[None, :, None])[: part.lights]
    if levels > 1:
        inner = slice(CORE // 2, CORE + CORE // 2)
        around = slice(inner.start - REACH, inner.stop + REACH)
        light[:, :, inner, inner] = 0
        light[:, :, around, around] += _core(part, cell / 2, levels - 1)
    return _HAND_DOWN @ light @ _HAND_DOWN.T


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
