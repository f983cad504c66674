"""Stamps a second of ``utils.sky``, and of GalSim where it is installed, both with noise.

Run with ``python -m tests.benchmarks.sky_speed`` from the repository.
"""

import time

import numpy as np

from utils import sky


def our_speed(survey, n=2000, size=64):
    """Three-band stamps a second of the usual mixture of kinds; the better of two runs."""
    truth = sky.draw_galaxies(n, np.random.default_rng(0))
    sky.render(truth[:64], survey, size)
    seconds = []
    for seed in range(2):
        start = time.perf_counter()
        sky.render(truth, survey, size, np.random.default_rng(seed))
        seconds.append(time.perf_counter() - start)
    return n / min(seconds)


def galsim_speed(survey, n=100, size=64):
    """The same for GalSim with bulge and disc alone (it has no arms), each band drawn by itself."""
    import galsim

    truth = sky.draw_galaxies(n, np.random.default_rng(0), kinds=("elliptical", "spiral"))
    noise = galsim.GaussianNoise(galsim.BaseDeviate(1), sigma=1.0)
    psfs = [galsim.Moffat(beta=survey.psf_beta, fwhm=fwhm) for fwhm in survey.psf_fwhm]
    start = time.perf_counter()
    for row in truth:
        share = float(row["bulge_fraction"])
        index = round(float(row["bulge_index"]), 1)  # GalSim makes a table for each index: let it make few
        galaxy = share * galsim.Sersic(index, half_light_radius=float(row["bulge_radius_arcsec"]))
        if share < 1:
            galaxy += (1 - share) * galsim.Exponential(half_light_radius=float(row["radius_arcsec"]))
        galaxy = galaxy.shear(q=float(row["axis_ratio"]), beta=float(row["position_angle"]) * galsim.degrees)
        for psf in psfs:
            image = galsim.Convolve(galaxy, psf).drawImage(nx=size, ny=size, scale=survey.pixel_scale)
            image.addNoise(noise)
    return n / (time.perf_counter() - start)


def main():
    print("64-px three-band stamps a second, with noise")
    print(f"{'survey':8s} {'utils.sky':>10s} {'GalSim':>10s}")
    for survey in sky.SURVEYS.values():
        try:
            theirs = f"{galsim_speed(survey):10.0f}"
        except ImportError:
            theirs = f"{'missing':>10s}"
        n = 2000 if survey.name in ("HSC", "DES") else 300
        print(f"{survey.name:8s} {our_speed(survey, n):10.0f} {theirs}", flush=True)


if __name__ == "__main__":
    main()
