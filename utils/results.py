"""What a lab measured, and the bands that other runs found.

A lab hands its measured values to :func:`record`; :func:`table` sets them beside ``data/expected.json``, which
``python -m utils.course measure NN`` fills by running the lab with several seeds. What a lab claims, in words and as
a target, is its ``CLAIMS`` in ``utils/checks/labNN.py``: a dictionary of :class:`Claim`.
"""

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from utils.files import ROOT, write_text

SHARE = (0.0, 1.0)  # limits of an accuracy
POSITIVE = (0.0, math.inf)  # limits of a ratio
EXPECTED = ROOT / "data" / "expected.json"
_recorded = {}  # lab -> {claim: value}, of this process


@dataclass(frozen=True)
class Claim:
    """A sentence that a lab measures, and the figure that the mean over seeds has to meet.

    Parameters
    ----------
    statement : str
        What is claimed, in words, e.g. ``"accuracy of the small CNN on the test set"``.
    target : str or None
        ``">= x"``, ``"<= x"``, ``"== x"``, ``"low .. high"``, or None where the value is only reported.
    limits : (float, float)
        What the value cannot exceed, e.g. :data:`SHARE` for an accuracy; a band ends there.

    Examples
    --------
    >>> Claim("accuracy of the CNN", ">= 0.95").holds(0.96)
    True
    >>> Claim("spread of the activations", "0.5 .. 2").holds(2.5)
    False
    """

    statement: str
    target: str | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)

    def __post_init__(self):
        _limits(self.target)

    def holds(self, value):
        """True where `value` meets the target; always True without a target, never True for NaN."""
        low, high = _limits(self.target)
        return bool(low <= value <= high) if self.target else not math.isnan(value)

    def band(self, values):
        """:func:`prediction_band` of the seeds' values, inside the claim's limits: (low, high)."""
        low, high = prediction_band(values)
        return max(low, self.limits[0]), min(high, self.limits[1])


def _limits(target):
    """Lowest and highest value that a target admits."""
    if target is None:
        return -math.inf, math.inf
    number = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    if found := re.fullmatch(rf"\s*(>=|<=|==)\s*{number}\s*", target):
        value = float(found[2])
        return {">=": (value, math.inf), "<=": (-math.inf, value), "==": (value, value)}[found[1]]
    if found := re.fullmatch(rf"\s*{number}\s*\.\.\s*{number}\s*", target):
        return float(found[1]), float(found[2])
    raise ValueError(f"a target is written '>= x', '<= x', '== x' or 'low .. high', got {target!r}")


# Two-sided 99 % points of Student's t, by degrees of freedom (scipy.stats.t.ppf(0.995, n)).
_T_99 = {1: 63.66, 2: 9.925, 3: 5.841, 4: 4.604, 5: 4.032, 6: 3.707, 7: 3.499, 8: 3.355, 9: 3.250}


def prediction_band(values):
    """Where the next seed falls with 99 % probability, were the values drawn from a normal distribution.

    The prediction interval of one more draw: mean ± t · s · sqrt(1 + 1/n), with Student's t for n − 1 degrees of
    freedom. A value that is the same for every seed has a band of no width.

    Parameters
    ----------
    values : sequence of float
        One value for each seed, at least two.

    Returns
    -------
    tuple of float
        (low, high)

    Examples
    --------
    >>> low, high = prediction_band([0.96, 0.97, 0.965, 0.955, 0.96])
    >>> round(low, 3), round(high, 3)
    (0.933, 0.991)
    >>> prediction_band([2602849] * 5)
    (2602849, 2602849)
    """
    if len(values) < 2:
        raise ValueError(f"a band needs the values of at least two seeds, got {len(values)}")
    if len(set(values)) == 1:
        return values[0], values[0]
    width = _T_99.get(len(values) - 1, 3.2) * stdev(values) * math.sqrt(1 + 1 / len(values))
    return mean(values) - width, mean(values) + width


def record(lab, **values):
    """Hand in what a lab has measured.

    Parameters
    ----------
    lab : str
        The lab's number, e.g. ``"03"``.
    **values : float
        One number for each claim, e.g. ``cnn_accuracy=0.96``.
    """
    for name, value in values.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be a number, got {value!r}") from None
        _recorded.setdefault(lab, {})[name] = int(number) if number.is_integer() and abs(number) < 1e15 else number
    if sink := os.environ.get("COURSE_RESULTS"):
        write_text(Path(sink), json.dumps(_recorded, indent=1, sort_keys=True))


def expected(path=EXPECTED):
    """What other runs found: lab -> claim -> statement, target, values, mean, std, band, holds, seconds."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def table(lab, path=EXPECTED):
    """Print "what you measured": each claim, your value, the band over the seeds, ✔ or what to think of it."""
    measured, known = _recorded.get(lab, {}), expected(path).get(lab, {})
    print(f"What you measured in lab {lab}")
    for name in [*measured, *(name for name in known if name not in measured)]:
        entry = known.get(name)
        print(f"\n{entry['statement'] if entry else name}")
        if name not in measured:
            print("  not measured: a cell above has not run yet")
            continue
        line = f"  yours {number(measured[name])}"
        if entry is None:
            print(line)
            continue
        low, high = entry["band"]
        line += f" · over {len(entry['values'])} seeds {number(entry['mean'])}, band {number(low)} to {number(high)}"
        if entry["target"]:
            line += f" · aim {entry['target']}"
        slack = 1e-3 * max(abs(low), abs(high))  # where chance plays no part the band has no width, but digits are cut
        inside = low - slack <= measured[name] <= high + slack
        print(f"{line} · {'✔' if inside else 'outside the band'}")
        if not inside:
            print("  Was a cell changed, run twice or left out? Restart the kernel and run all cells. If it stays")
            print("  outside, compare the functions that this value comes from with the worked solution.")


def number(value):
    """Three digits that count, without an exponent where it can be helped.

    Examples
    --------
    >>> number(0.96123), number(2602849), number(3.2e-12)
    ('0.961', '2602849', '3.2e-12')
    """
    return str(value) if isinstance(value, int) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
