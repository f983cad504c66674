"""Before the first student: does the grader grade what is known?

The solution has to get all points and the untouched lab none; two runs of the solution have to agree. One of them is
made in a kernel of its own, one in a kernel that is forked; where they do not agree, kernels are not forked. The time
that the solution takes in each cell sets the budgets of the students' cells.
"""

import json
import socket
import traceback
from concurrent.futures import BrokenExecutor
from dataclasses import asdict, dataclass, field, fields, replace

from utils.course.errors import CourseError
from utils.course.grading import version
from utils.course.grading.folder import locked
from utils.course.grading.version import digest, lab_notebook
from utils.course.grading.workers import Job, load
from utils.files import write_text

# Budgets: a student's cell may take this many times what the solution's takes, or `least_seconds`, if that is more. A
# submission has time for all of its answers to run into their budgets, one after the other, each followed by a run of
# the notebook.
TIMES = 10
SOLUTION_SECONDS = 900.0  # for a cell of the solution itself
SOLUTION_TOTAL = 3600.0
MOST_FAULTS = 5  # that are named


@dataclass(frozen=True)
class Calibration:
    """What came out.

    Parameters
    ----------
    fork : bool
        Whether kernels may be forked.
    cell_seconds : dict
        Id of a cell -> budget.
    submission_seconds : float
        Budget of a submission.
    solution_seconds : float
        What the solution took.
    digest : str
        Of verdicts and versions: two machines may share a class where it is the same.
    packages : dict
    note : str
        For the report, in words.
    described : dict
        The lab, as what is written in the end has to know it.
    """

    fork: bool
    cell_seconds: dict
    submission_seconds: float
    solution_seconds: float
    digest: str
    packages: dict
    note: str
    described: dict = field(default_factory=dict)

    def apply(self, setup):
        """The setup with the budgets and the kind of kernel that were found."""
        budgets = {"cell_seconds": self.cell_seconds, "submission_seconds": self.submission_seconds}
        return replace(setup, fork=self.fork, **budgets)


def calibrate(setup, grader=Job.grader):
    """Grade the solution, twice, and the untouched lab, with Graders of their own in this process.

    Parameters
    ----------
    setup : Setup
    grader : str
        Where the Grader's class is.

    Returns
    -------
    Calibration

    Raises
    ------
    CourseError
        Where grades could not be relied upon; names the check at fault and what it said.
    """
    solution = lab_notebook(setup.root, "solutions", setup.lab).read_bytes()
    untouched = lab_notebook(setup.root, "labs", setup.lab).read_bytes()
    patient = replace(setup, cell_seconds=_generous(solution), submission_seconds=SOLUTION_TOTAL)
    normal, forked = replace(patient, fork=False), replace(patient, fork=True)

    (first,) = _grade(grader, normal, solution)
    _demand_all(first, "the solution")
    if not setup.fork:
        fork, note = False, "kernels are not forked: asked for"
        second, blank = _grade(grader, normal, solution, untouched)
    else:
        second, blank = _grade(grader, forked, solution, untouched)
        fork, told = second["kernel"] == "forked", second.get("kernel_note", "")
        note = told or "kernels are not forked: this system has no fork server"
        if fork:
            note = "kernels are forked, as this agrees with kernels of their own" + (f"; {told}" if told else "")
    if verdicts(first) != verdicts(second):
        difference = _difference(first, second)
        if not fork:
            raise CourseError(f"two runs of the solution do not agree: {difference}; nobody can be graded")
        second, blank = _grade(grader, normal, solution, untouched)
        if verdicts(first) != verdicts(second):
            raise CourseError(
                f"three runs of the solution do not agree: {_difference(first, second)}; nobody can be graded"
            )
        fork, note = False, f"kernels are not forked, as that changes what the solution gets: {difference}"
    _demand_none(blank)
    taken = {}
    for cell in [*first["cells"], *second["cells"]]:
        taken[cell["id"]] = max(cell["seconds"], taken.get(cell["id"], 0.0))
    budgets = {cell: round(max(setup.least_seconds, TIMES * seconds), 1) for cell, seconds in taken.items()}
    seconds = max(first["seconds"], second["seconds"])
    packages = version.packages()
    facts = [verdicts(first), verdicts(blank), packages, version.course_version(setup.root, setup.lab)]
    return Calibration(
        fork=fork,
        cell_seconds=budgets,
        submission_seconds=round(TIMES * seconds + len(first["exercises"]) * (setup.least_seconds + seconds), 1),
        solution_seconds=seconds,
        digest=digest(facts),
        packages=packages,
        note=note,
    )


def _grade(grader, setup, *notebooks):
    """Results of notebooks, from a Grader of its own."""
    try:
        with load(grader)(setup) as opened:
            return [opened.grade(notebook) for notebook in notebooks]
    except CourseError:
        raise
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        raise CourseError(f"the grader stops with an error at the course's own notebooks:\n{text}") from None


def verdicts(result):
    """What two results have to agree in: status, and of each exercise the state and each sub-test's points."""
    return [
        result["status"],
        [
            [e["id"], e["state"], [[s["name"], s["points"], s["max"]] for s in e["subtests"]]]
            for e in result["exercises"]
        ],
    ]


def _generous(notebook):
    """A long budget for every cell of a notebook's file."""
    return {cell.get("id"): SOLUTION_SECONDS for cell in json.loads(notebook)["cells"]}


def _demand_all(result, who):
    """A CourseError that names what `who` does not get, where that is anything."""
    if result["status"] != "graded":
        raise CourseError(f"{who} is not graded ({result['status']}): {result['reason']}")
    faults = [f"exercise {e['id']}: {e['reason']}" for e in result["exercises"] if e["reason"] and not _open(e, False)]
    faults += [
        f"exercise {exercise['id']}, “{test['name']}”: {test['message'] or exercise['reason'] or 'not passed'}"
        for exercise in result["exercises"]
        for test in _open(exercise, False)
    ]
    if result["points"] != result["max"] and not faults:
        faults = [f"it gets {result['points']} of {result['max']} points, though all sub-tests are passed"]
    if not result["exercises"]:
        faults = ["the lab has no exercises"]
    if result["points"] != result["max"] or faults:
        raise CourseError(_listed(f"{who} does not get all points, so nobody can be graded:", faults, result))


def _demand_none(result):
    """A CourseError that names what the untouched lab gets points for, where it does."""
    if result["status"] != "graded":
        raise CourseError(f"the untouched lab is not graded ({result['status']}): {result['reason']}")
    faults = [
        f"exercise {exercise['id']}, “{test['name']}”: passed without an answer"
        for exercise in result["exercises"]
        for test in _open(exercise, True)
    ]
    if result["points"] or faults:
        raise CourseError(_listed("the untouched lab gets points, so nobody can be graded:", faults, result))


def _open(exercise, gained):
    """Sub-tests that got points, or those that did not get all."""
    tests = exercise["subtests"]
    return [test for test in tests if (test["points"] > 0 if gained else test["points"] < test["max"])]


def _listed(title, faults, result):
    """Title and faults as lines; behind them the first cell that failed, which may be why."""
    lines = [title, *faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        lines.append(f"… and {len(faults) - MOST_FAULTS} more")
    failed = next((cell for cell in result["cells"] if cell["state"] in ("error", "timeout", "died")), None)
    if failed:
        lines.append(
            f"the first cell that did not run to its end is {failed['id']}: {failed['state']} {failed['error']}"
        )
    return "\n".join(lines)


def _difference(one, other):
    """Where two results differ first, in words."""
    if one["status"] != other["status"]:
        return f"one is {one['status']}, another is {other['status']} ({one['reason'] or other['reason']})"
    for mine, theirs in zip(one["exercises"], other["exercises"], strict=False):
        for test, again in zip(mine["subtests"], theirs["subtests"], strict=False):
            if test["points"] != again["points"]:
                said = test["message"] or again["message"] or mine["reason"] or theirs["reason"]
                gets = f"{test['points']} points once, {again['points']} another time"
                return f"exercise {mine['id']}, “{test['name']}” gets {gets}" + (f" ({said})" if said else "")
        if mine["state"] != theirs["state"]:
            return f"exercise {mine['id']} is {mine['state']} once, {theirs['state']} another time"
    return "they hold other exercises or sub-tests"


# Kept calibrations: GRADES/calibration/<fingerprint of the machine>.json


def calibrated(setup, results, executor, grader=Job.grader, describe="", shard=False, say=print):
    """The calibration of this machine: the one that is kept, or a new one.

    Parameters
    ----------
    setup : Setup
    results : Results
        Whose folder keeps it.
    executor : concurrent.futures.Executor
        Does it, where it has to be done.
    grader : str
    describe : str
        Where the function is that describes the setup's lab: ``"package.module:name"``.
    shard : bool
        Other machines grade into the same folder: a CourseError where a calibration of theirs differs.
    say : callable

    Returns
    -------
    Calibration
    """
    folder, mark = results.folder / "calibration", version.fingerprint()
    path = folder / f"{mark}.json"
    with locked(folder, mark, wait=True, say=say):
        found = _read(path, results)
        if found is None:
            say(f"calibrating: the solution of lab {setup.lab} has to get all points, the untouched lab none")
            outcome = _outcome(executor.submit(attempt, setup, grader, describe))
            if "mend" in outcome:
                raise CourseError(outcome["mend"])
            found = Calibration(**outcome["calibration"])
            kept = {"subject": results.subject(), "host": socket.gethostname(), "machine": version.machine()}
            write_text(path, json.dumps(kept | {"calibration": asdict(found)}, indent=1) + "\n")
            say(f"calibrated: the solution takes {found.solution_seconds:.0f} s; {found.note}")
    if shard:
        _compare(found, path, results)
    return found


def attempt(setup, grader, describe=""):
    """:func:`calibrate` for another process: ``{"calibration": dict}`` or ``{"mend": text}``."""
    try:
        described = load(describe)(setup) if describe else {}
        return {"calibration": asdict(replace(calibrate(setup, grader), described=described))}
    except CourseError as error:
        return {"mend": str(error)}


def _outcome(future):
    try:
        return future.result()
    except BrokenExecutor:
        return {"mend": "the process that calibrated was killed: is there enough memory?"}


def kept_calibrations(results):
    """Calibrations in the folder that were made for these results: path -> (host, Calibration)."""
    found = {}
    for path in sorted((results.folder / "calibration").glob("*.json")):
        calibration = _read(path, results)
        if calibration:
            found[path] = json.loads(path.read_bytes())["host"], calibration
    return found


def _read(path, results):
    """The calibration in a file; None where there is none, or it was made for something else, or is damaged."""
    try:
        kept = json.loads(path.read_bytes())
        if kept["subject"] != results.subject():
            return None
        return Calibration(**{name.name: kept["calibration"][name.name] for name in fields(Calibration)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _compare(own, path, results):
    """A CourseError where another machine's calibration differs from our own."""
    for other, (host, calibration) in kept_calibrations(results).items():
        if other == path or calibration.digest == own.digest:
            continue
        why = version.differences(calibration.packages, own.packages) or "the same packages, other verdicts"
        raise CourseError(
            f"this machine's calibration differs from that of {host}: {why}. All shards have to agree: "
            f"use the same packages; or, if {host} takes no part any more, delete {other}"
        )
