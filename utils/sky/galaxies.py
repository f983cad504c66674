"""Which galaxies there are: the truth table, and a draw from a simple population."""

import numpy as np

KINDS = ("elliptical", "spiral", "edge-on", "irregular")
CLUMPS = 16

# One row is one galaxy. Lengths in arcsec, angles in degrees, magnitudes AB; x to the right, y along increasing rows.
# The parts: bulge (Sersic), bar (Gaussian), disc (the rest of the light), companion (exponential), clumps (Gaussians).
TRUTH = np.dtype(
    [
        ("kind", "U10"),
        ("magnitude", "f4"),  # of all light at 620 nm (r), before dust
        ("radius_arcsec", "f4"),  # half-light radius of the main part, along its major axis
        ("axis_ratio", "f4"),  # of the main part; of an edge-on disc: scale height over scale length
        ("position_angle", "f4"),  # of the major axis, from the x axis towards the y axis
        ("x_arcsec", "f4"),  # centre, from the middle of the stamp
        ("y_arcsec", "f4"),
        ("bulge_fraction", "f4"),  # share of all light, as the other fractions
        ("bulge_radius_arcsec", "f4"),
        ("bulge_index", "f4"),  # Sersic index
        ("bulge_axis_ratio", "f4"),
        ("bar_fraction", "f4"),
        ("bar_radius_arcsec", "f4"),
        ("bar_angle", "f4"),  # from the major axis, in the plane of the disc
        ("edge_on", "?"),  # disc seen from the side: sech^2 layer instead of an ellipse
        ("arm_strength", "f4"),  # share of the disc's light that is young and lies in arms
        ("arm_count", "f4"),
        ("arm_pitch", "f4"),  # its sign says which way the arms wind
        ("arm_phase", "f4"),  # angle of an arm at half the half-light radius, from the major axis
        ("arm_sharpness", "f4"),
        ("clump_fraction", "f4"),
        ("clump_weight", "f4", CLUMPS),  # shares of the clumps' light, sum 1
        ("clump_x", "f4", CLUMPS),  # in the plane of the sky, along and across the major axis [arcsec]
        ("clump_y", "f4", CLUMPS),
        ("clump_size", "f4", CLUMPS),  # standard deviation of the Gaussian [arcsec]
        ("companion_fraction", "f4"),
        ("companion_radius_arcsec", "f4"),
        ("companion_axis_ratio", "f4"),
        ("companion_angle", "f4"),  # from the main part's major axis
        ("companion_x", "f4"),  # along and across the main part's major axis [arcsec]
        ("companion_y", "f4"),
        ("dust_depth", "f4"),  # optical depth at 550 nm in the middle of the dust
        ("colour_old", "f4"),  # g - r of bulge, bar and companion
        ("colour_disc", "f4"),
        ("colour_young", "f4"),  # g - r of arms and clumps
    ]
)


def empty_truth(n):
    """A table of n plain round exponential discs of magnitude 20 and radius 1 arcsec, to be changed column by column.

    Examples
    --------
    >>> truth = empty_truth(2)
    >>> truth["axis_ratio"] = 0.5, 0.8
    >>> float(truth[0]["magnitude"])
    20.0
    """
    truth = np.zeros(n, TRUTH)
    truth["kind"] = "spiral"
    truth["magnitude"] = 20
    lengths = ("radius_arcsec", "bulge_radius_arcsec", "bar_radius_arcsec", "companion_radius_arcsec", "clump_size")
    ratios = ("axis_ratio", "bulge_axis_ratio", "companion_axis_ratio", "bulge_index", "arm_count")
    for column in (*lengths, *ratios):
        truth[column] = 1
    truth["arm_pitch"] = 20
    truth["clump_weight"] = 1 / CLUMPS
    return truth


def check_limits(magnitude):
    """The bright and the faint limit, as they are; a ValueError unless `magnitude` is such a pair."""
    if np.shape(magnitude) != (2,) or not magnitude[0] <= magnitude[1]:
        raise ValueError(f"magnitude must be (bright limit, faint limit), the smaller number first; got {magnitude!r}")
    return magnitude


def draw_galaxies(n, rng, kinds=KINDS, magnitude=(18.0, 23.0), upright=False):
    """Draw galaxies from a simple population: as many of each kind, as far as n allows, in random order.

    Parameters
    ----------
    n : int
        Number of galaxies.
    rng : numpy.random.Generator
    kinds : sequence of str
        Out of ``KINDS``.
    magnitude : (float, float)
        Bright and faint limit of the r magnitude; uniform between them. Fainter galaxies are smaller.
    upright : bool
        Lay every galaxy along the x axis, its spiral arms starting at the same angle.

    Returns
    -------
    (n,) structured array with the columns of ``TRUTH``

    Raises
    ------
    ValueError
        For an unknown kind, a negative n or limits in the wrong order.

    Examples
    --------
    >>> truth = draw_galaxies(4, np.random.default_rng(0), kinds=("spiral", "edge-on"))
    >>> sorted(truth["kind"].tolist())
    ['edge-on', 'edge-on', 'spiral', 'spiral']
    """
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds must be taken from {', '.join(KINDS)}; got {', '.join(map(repr, unknown)) or 'none'}")
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    bright, faint = check_limits(magnitude)

    truth = empty_truth(n)
    truth["kind"] = np.array(kinds)[rng.permutation(np.arange(n) % len(kinds))]
    truth["magnitude"] = rng.uniform(bright, faint, n)
    truth["radius_arcsec"] = 10 ** (0.30 - 0.04 * (truth["magnitude"] - 18) + rng.normal(0, 0.1, n))
    truth["position_angle"] = rng.uniform(0, 180, n) * (not upright)
    truth["arm_phase"] = rng.uniform(0, 360, n) * (not upright)
    truth["x_arcsec"], truth["y_arcsec"] = rng.normal(0, 0.25, (2, n)) * truth["radius_arcsec"]
    for kind, fill in _FILL.items():
        rows = truth["kind"] == kind
        truth[rows] = fill(truth[rows], rng)
    redder = rng.normal(0, 0.12, n)  # age, metals and redshift, the same for all parts of a galaxy
    for column in ("colour_old", "colour_disc", "colour_young"):
        truth[column] += redder
    return truth


def _elliptical(t, rng):
    """Nothing but a Sersic profile of old stars."""
    n = len(t)
    t["bulge_fraction"] = 1
    t["bulge_index"] = rng.uniform(2, 4.5, n)
    t["axis_ratio"] = t["bulge_axis_ratio"] = rng.uniform(0.45, 1, n)
    t["bulge_radius_arcsec"] = t["radius_arcsec"]
    t["colour_old"] = t["colour_disc"] = t["colour_young"] = rng.normal(0.70, 0.10, n)
    return t


def _spiral(t, rng):
    """A disc with arms of young stars and dust, a bulge, and in two of five a bar."""
    n = len(t)
    t["radius_arcsec"] *= 1.15
    _bulge(t, rng, 0.05, 0.35)
    t["axis_ratio"] = rng.uniform(0.5, 1, n)
    t["bulge_axis_ratio"] = 1 - 0.5 * (1 - t["axis_ratio"])
    t["bar_fraction"] = np.where(rng.random(n) < 0.4, rng.uniform(0.05, 0.15, n), 0)
    t["bar_radius_arcsec"] = rng.uniform(0.3, 0.5, n) * t["radius_arcsec"]
    t["arm_strength"] = rng.uniform(0.5, 0.85, n)
    t["arm_count"] = rng.choice([2, 2, 2, 3, 4], n)
    t["arm_pitch"] = rng.uniform(14, 30, n) * rng.choice([-1, 1], n)
    t["bar_angle"] = t["arm_phase"]
    t["arm_sharpness"] = rng.uniform(2.5, 5, n)
    t["dust_depth"] = rng.uniform(0, 0.8, n)
    t["clump_fraction"] = rng.uniform(0, 0.08, n)
    distance = rng.uniform(0.5, 1.8, (n, CLUMPS))
    arm = rng.integers(0, 4, (n, CLUMPS)) % t["arm_count"][:, None]
    angle = np.radians(t["arm_phase"])[:, None] + 2 * np.pi * arm / t["arm_count"][:, None]
    angle = angle + np.log(2 * distance) / np.tan(np.radians(t["arm_pitch"]))[:, None]
    angle = angle + rng.normal(0, 0.12, (n, CLUMPS))
    t["clump_x"] = distance * np.cos(angle) * t["radius_arcsec"][:, None]
    t["clump_y"] = distance * np.sin(angle) * (t["radius_arcsec"] * t["axis_ratio"])[:, None]
    _clumps(t, rng, 0.03, 0.07)
    t["colour_old"] = rng.normal(0.70, 0.08, n)
    t["colour_disc"] = rng.normal(0.60, 0.08, n)
    t["colour_young"] = rng.normal(0.28, 0.12, n)
    return t


def _edge_on(t, rng):
    """A disc seen from its side: thin, with a small bulge and, in most, a dust lane."""
    n = len(t)
    t["radius_arcsec"] *= 1.15
    t["edge_on"] = True
    _bulge(t, rng, 0.03, 0.3)
    t["axis_ratio"] = rng.uniform(0.12, 0.3, n)
    t["bulge_axis_ratio"] = rng.uniform(0.6, 0.9, n)
    t["dust_depth"] = np.maximum(rng.uniform(-0.4, 1.6, n), 0)
    t["colour_old"] = rng.normal(0.70, 0.08, n)
    t["colour_disc"] = t["colour_young"] = rng.normal(0.52, 0.12, n)
    return t


def _irregular(t, rng):
    """Half are clumpy and lopsided dwarfs, half are pairs that merge: a companion and a tidal arm."""
    n = len(t)
    merger = rng.random(n) < 0.5
    t["axis_ratio"] = rng.uniform(0.4, 0.95, n)
    _bulge(t, rng, 0.05, 0.3)
    t["bulge_fraction"] *= merger
    t["bulge_axis_ratio"] = t["axis_ratio"]
    t["arm_strength"] = rng.uniform(0.2, 0.5, n)
    t["arm_count"] = 1
    t["arm_pitch"] = rng.uniform(35, 65, n) * rng.choice([-1, 1], n)
    t["arm_sharpness"] = rng.uniform(1, 2.5, n)
    t["companion_fraction"] = np.where(merger, rng.uniform(0.25, 0.45, n), 0)
    t["companion_radius_arcsec"] = rng.uniform(0.25, 0.6, n) * t["radius_arcsec"]
    t["companion_axis_ratio"] = rng.uniform(0.4, 1, n)
    t["companion_angle"] = rng.uniform(0, 180, n)
    angle = np.radians(t["arm_phase"]) + rng.normal(0, 0.6, n)
    distance = rng.uniform(0.9, 1.8, n) * t["radius_arcsec"]
    t["companion_x"], t["companion_y"] = distance * np.cos(angle), distance * np.sin(angle)
    t["clump_fraction"] = np.where(merger, rng.uniform(0, 0.15, n), rng.uniform(0.35, 0.65, n))
    shift = rng.normal(0, 0.3, (2, n, 1))
    spread = rng.normal(0, 0.65, (2, n, CLUMPS)) + shift
    t["clump_x"] = spread[0] * t["radius_arcsec"][:, None]
    t["clump_y"] = spread[1] * (t["radius_arcsec"] * t["axis_ratio"])[:, None]
    _clumps(t, rng, 0.06, 0.16)
    t["dust_depth"] = rng.uniform(0, 0.6, n)
    t["colour_old"] = rng.normal(0.60, 0.12, n)
    t["colour_disc"] = rng.normal(0.42, 0.12, n)
    t["colour_young"] = rng.normal(0.12, 0.10, n)
    return t


def _bulge(t, rng, low, high):
    """A bulge with a share of the light between low and high."""
    n = len(t)
    t["bulge_fraction"] = rng.uniform(low, high, n)
    t["bulge_radius_arcsec"] = rng.uniform(0.15, 0.3, n) * t["radius_arcsec"]
    t["bulge_index"] = rng.uniform(1.5, 4, n)


def _clumps(t, rng, small, large):
    """Sizes and weights of clumps: few are bright, many faint."""
    n = len(t)
    weight = rng.exponential(1, (n, CLUMPS)) ** 2
    t["clump_weight"] = weight / weight.sum(axis=1, keepdims=True)
    t["clump_size"] = rng.uniform(small, large, (n, CLUMPS)) * t["radius_arcsec"][:, None]


_FILL = {"elliptical": _elliptical, "spiral": _spiral, "edge-on": _edge_on, "irregular": _irregular}
