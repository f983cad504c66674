"""Run a lab with several seeds and keep what it measured in ``data/expected.json``."""

import json
import math
import runpy
from statistics import mean, stdev

from utils.course.build import check_run, checked_cells
from utils.course.errors import CourseError
from utils.course.kernel import run_lab
from utils.course.notebook import solution_notebook
from utils.course.source import select_labs
from utils.course.table import table
from utils.files import write_text
from utils.lab import hidden_stderr


def measure(course, number, seeds, say=print):
    """Measure one lab and write its part of ``data/expected.json``; other labs' parts stay as they are.

    Parameters
    ----------
    course : Course
    number : str
        The lab.
    seeds : sequence of int
        Two at least; the lab runs once for each, in a kernel of its own.
    say : callable
        Prints a line for each seed, and the table.

    Returns
    -------
    bool
        Whether every claim meets its target.
    """
    if len(set(seeds)) != len(seeds) or len(seeds) < 2:
        raise CourseError(f"a band needs at least two different seeds, got {' '.join(map(str, seeds))}")
    (lab,) = select_labs([number], course.root)
    claims = load_claims(course, lab)
    if not claims:
        raise CourseError(f"lab {lab.number} claims nothing: utils/checks/lab{lab.number}.py has no CLAIMS")
    cells = checked_cells(course, lab)
    path = course.root / "data" / "expected.json"
    expected = read_expected(path)
    measured, seconds = {name: [] for name in claims}, []
    for seed in seeds:
        run = _run(course, lab, cells, seed)
        for name, value in _values(lab, claims, run.results, seed).items():
            measured[name].append(value)
        seconds.append(run.cpu_seconds)
        say(f"lab {lab.number}, seed {seed}: {run.cpu_seconds:.0f} s of CPU")
    expected = read_expected(path) | {lab.number: summary(claims, measured, mean(seconds))}
    write_text(path, json.dumps(expected, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    say(claims_table(expected[lab.number]))
    return all(entry["holds"] for entry in expected[lab.number].values())


def load_claims(course, lab):
    """The lab's CLAIMS: claim -> utils.results.Claim; empty where it has none."""
    path = course.root / "utils" / "checks" / f"lab{lab.number}.py"
    if not path.is_file():
        return {}
    with hidden_stderr():  # a lab's checks may import TensorFlow
        return runpy.run_path(str(path)).get("CLAIMS", {})


def read_expected(path):
    """What ``data/expected.json`` holds, an empty dictionary where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise CourseError(f"data/{path.name} is no JSON ({error}): restore it before you measure") from None


def _run(course, lab, cells, seed):
    try:
        run = run_lab(course, lab, cells, solution_notebook(lab, cells), seed)
        check_run(lab, cells, run)
    except CourseError as error:
        raise CourseError(f"with seed {seed}: {error}") from None
    return run


def _values(lab, claims, results, seed):
    """The lab's recorded values, one for each claim."""
    values = results.get(lab.number, {})
    for problem, names in {
        "was not recorded": [name for name in claims if name not in values],
        "is recorded but not among the lab's CLAIMS": [name for name in values if name not in claims],
        "is not a finite number": [name for name, value in values.items() if not math.isfinite(value)],
    }.items():
        if names:
            raise CourseError(f"lab {lab.number}, seed {seed}: {', '.join(names)} {problem}")
    return values


def summary(claims, measured, seconds):
    """A lab's part of ``data/expected.json``.

    Parameters
    ----------
    claims : dict of str to utils.results.Claim
    measured : dict of str to list of float
        One value for each seed.
    seconds : float
        Mean CPU seconds of a run.
    """
    return {
        name: {
            "statement": claim.statement,
            "target": claim.target,
            "values": measured[name],
            "mean": mean(measured[name]),
            "std": stdev(measured[name]),
            "band": list(claim.band(measured[name])),
            "holds": claim.holds(mean(measured[name])),
            "seconds": round(seconds, 1),
        }
        for name, claim in claims.items()
    }


def claims_table(entries):
    """The claims of a lab as a table."""
    rows = [
        [
            entry["statement"],
            entry["target"] or "–",
            f"{entry['mean']:.4g} ± {entry['std']:.2g}",
            f"{entry['band'][0]:.4g} … {entry['band'][1]:.4g}",
            "yes" if entry["holds"] else "NO",
        ]
        for entry in entries.values()
    ]
    return table(["claim", "target", "mean ± std", "band", "holds"], rows)
