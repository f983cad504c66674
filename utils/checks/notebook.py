"""What a student calls in a notebook: check, hint, reference, solution, progress."""

import json
import os
import re
from pathlib import Path

from utils.checks.exercise import Exercise, exercises, find, is_untouched
from utils.checks.expect import NotYet, show
from utils.checks.handover import exchange_folder, hand_over
from utils.checks.observe import Observations
from utils.files import ROOT, write_text

_hints_given = {}  # exercise id -> how many levels
_UNTOUCHED = "Replace the line `raise NotImplementedError(…)` by your code, run that cell, then this one."
_STATES = ("not attempted", "not yet", "ran", "correct")  # from worst to best; "ran" where there are no judges


def check(exercise_id, *answers):
    """Judge an answer and print the verdict: not attempted, not yet, or correct.

    Parameters
    ----------
    exercise_id : str
        Such as ``"1.2"``.
    *answers : callable
        The functions that the exercise asks for, one by one or as a tuple.

    Returns
    -------
    int or None
        The points, where nbgrader runs the notebook: it takes what a graded cell returns.
    """
    points = _check(exercise_id, answers)
    return points if _under_nbgrader() else None


def _check(exercise_id, answers):
    """Judge the answers, print the verdict and return the points."""
    exercise = find(exercise_id)
    title = f"Exercise {exercise.id} · {exercise.title}"
    answer = answers[0] if len(answers) == 1 else answers
    if folder := exchange_folder():
        hand_over(exercise, answer, folder)
        return 0
    if not exercise.subtests():
        _try_out(exercise, title, answer)
        return 0
    wanted = _parts(exercise.reference())
    if len(_parts(answer)) != len(wanted):
        call = f'check("{exercise.id}", {", ".join(part.__name__ for part in wanted)})'
        print(f"{title}: not yet. This check is called with each function of the exercise: {call}")
        return 0
    if _is_reference(answer):
        print(f"{title}: not attempted. The reference stands in for your function and earns no points.")
        return 0
    if _is_value(title, answer):
        return 0
    observed, verdicts = exercise.examine(answer, exercise.default_rng())
    if verdicts is None:
        print(f"{title}: not attempted, 0 of {exercise.points} points")
        print(_UNTOUCHED)
        _remember(exercise, "not attempted", 0)
        return 0
    points = sum(v.points for v in verdicts if v.passed)
    correct = all(v.passed for v in verdicts)
    print(f"{title}: {'correct' if correct else 'not yet'}, {points} of {exercise.points} points")
    _print_verdicts(verdicts)
    if not correct:
        _print_printed(observed)
        print(f'Stuck? hint("{exercise.id}") helps, one step at a time; reference("{exercise.id}") lets you go on.')
    _remember(exercise, "correct" if correct else "not yet", points)
    return points


def _is_value(title, answer):
    """Say so where what was handed over is not functions but what they return."""
    if all(callable(part) for part in _parts(answer)):
        return False
    print(f"{title}: not yet. Hand over the function itself, by its name without brackets behind it,")
    print(f"not what it returns: this is {show(answer)}.")
    return True


def _try_out(exercise, title, answer):
    """In a copy of the course without judges: run the answer on the cases and print how far it got."""
    if _is_value(title, answer):
        return
    try:
        observed = exercise.observe(answer, exercise.inputs(exercise.default_rng()))
    except (TypeError, ValueError):  # what an answer does is an outcome: these are too many functions, or too few
        print(f"{title}: not yet. This check is called with each function of the exercise, as its cell came to you.")
        return
    if is_untouched(observed):
        print(f"{title}: not attempted")
        print(_UNTOUCHED)
        _remember(exercise, "not attempted", 0)
        return
    troubles = {case: trouble for case in observed if (trouble := _trouble(observed, case))}
    if not troubles:
        print(f"{title}: ran on all {len(observed)} cases")
        print("Whether it is right, whoever grades will say: this copy of the course has no judges.")
        _remember(exercise, "ran", 0)
        return
    print(f"{title}: not yet, ran on {len(observed) - len(troubles)} of {len(observed)} cases")
    said = None
    for case, trouble in troubles.items():
        print(f"  ✘ {case}")
        for line in ("for the same reason" if trouble == said else trouble).splitlines():
            print(f"      {line}")
        said = trouble
    _print_printed(observed)
    print(f'Stuck? hint("{exercise.id}") helps, one step at a time.')
    _remember(exercise, "not yet", 0)


def _trouble(observed, case):
    """Why nothing came back in a case; empty where something did."""
    try:
        value = Observations(observed)[case]
    except NotYet as reason:
        return str(reason).removeprefix(f"in the case {case!r}: ")
    return "the function returned None: does it end with a return?" if value is None else ""


def _print_verdicts(verdicts):
    """One line for each sub-test, with its points and, where it is not passed, why; the same reason once."""
    said = None
    for verdict in verdicts:
        mark, points = ("✔", verdict.points) if verdict.passed else ("✘", 0)
        print(f"  {mark} {points}/{verdict.points} {verdict.name}")
        reason = re.sub(r"^in the case '.*?': ", "", verdict.message)
        if reason and reason == said:
            print("      for the same reason")
        elif reason:
            for line in verdict.message.splitlines():
                print(f"      {line}")
        said = reason or said


def _print_printed(observed):
    """The end of what the student's function printed while it was checked."""
    for case, outcome in observed.items():
        if lines := outcome["printed"].splitlines()[-5:]:
            print(f"In the case {case!r} your function printed:")
            for line in lines:
                print(f"      {line[:100]}")
            return


def hint(exercise_id):
    """Print the next of the three hints: a nudge, the approach, almost the code."""
    exercise = find(exercise_id)
    level = min(_hints_given.get(exercise.id, 0) + 1, len(exercise.hints))
    _hints_given[exercise.id] = level
    print(f"Hint {level} of {len(exercise.hints)} for exercise {exercise.id}: {exercise.hints[level - 1]}")


def reference(exercise_id):
    """A stand-in from a library, so that one hard exercise does not end the lab; it earns no points.

    Examples
    --------
    >>> gradients = reference("1.1")  # doctest: +SKIP
    """
    exercise = find(exercise_id)
    if exchange_folder():
        raise RuntimeError("reference() is not available while a notebook is graded")
    if type(exercise).reference is Exercise.reference:
        raise RuntimeError(f"this copy of the course has no reference of exercise {exercise.id}: go on with your own")
    stand_in = exercise.reference()
    for part in _parts(stand_in):
        part.is_reference = True
    names = ", ".join(part.__name__ for part in _parts(stand_in))
    print(f'To use the reference: `{names} = reference("{exercise.id}")`. It earns no points.')
    return stand_in


def solution(exercise_id):
    """Print the worked solution, where ``solutions/`` is present."""
    exercise = find(exercise_id)
    number = f"{int(exercise.id.split('.')[0]):02d}"
    for path in sorted((ROOT / "solutions").glob(f"{number}_*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["metadata"].get("exercise") == exercise.id:
                print("".join(cell["source"]))
                return
    print(f"This copy of the course has no solution of exercise {exercise.id}: ask whoever handed it out.")


def progress(lab):
    """Print which exercises of a lab are done and how many points they have earned.

    Parameters
    ----------
    lab : str
        Two digits, e.g. ``"01"``.
    """
    known, kept = exercises(lab), _read()
    entries = [(e, kept.get(e.id, {"state": "not attempted", "points": 0})) for e in known.values()]
    if not _judged(known):
        print(f"Lab {lab}: {done(lab)}; whoever grades gives the points")
        for exercise, entry in entries:
            mark = {"ran": "○", "not yet": "✘"}.get(entry["state"], "·")
            print(f"  {mark} {exercise.id} {exercise.title}: {entry['state']}")
        return
    points = sum(entry["points"] for _, entry in entries)
    total = sum(e.points for e in known.values())
    print(f"Lab {lab}: {done(lab)}, {points} of {total} points")
    for exercise, entry in entries:
        mark = {"correct": "✔", "not yet": "✘"}.get(entry["state"], "·")
        print(f"  {mark} {exercise.id} {exercise.title}: {entry['state']}, {entry['points']} of {exercise.points}")


def done(lab):
    """How far one is in a lab, in words; in a copy without judges, that is how many answers run."""
    known, kept = exercises(lab), _read()
    best, words = ("correct", "correct") if _judged(known) else ("ran", "ran on all their cases")
    return f"{sum(kept.get(id_, {}).get('state') == best for id_ in known)} of {len(known)} exercises {words}"


def _judged(known):
    """Whether this copy of the course has the judges of some exercises."""
    return any(exercise.subtests() for exercise in known.values())


def _is_reference(answer):
    return any(getattr(part, "is_reference", False) for part in _parts(answer))


def _parts(answer):
    return answer if isinstance(answer, tuple) else (answer,)


def _under_nbgrader():
    return "NBGRADER_EXECUTION" in os.environ


def _progress_file():
    folder = Path.cwd() if _under_nbgrader() else ROOT  # there, each student's notebook has a folder of its own
    return Path(os.environ.get("COURSE_PROGRESS", folder / ".progress.json"))


def _rank(state, points):
    return points, _STATES.index(state) if state in _STATES else 0


_unwritten = {}  # progress that could not be kept, on a read-only disk


def _read():
    path = _progress_file()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not all({"state", "points"} <= entry.keys() for entry in kept.values()):
            raise ValueError
    except FileNotFoundError:
        kept = {}
    except (OSError, ValueError, AttributeError):
        aside = path.with_name(path.name + ".damaged")
        print(f"The progress file was damaged: kept as {aside.name}, and started anew.")
        try:
            os.replace(path, aside)
        except OSError:
            pass
        kept = {}
    return kept | _unwritten


def _remember(exercise, state, points):
    """Keep the best verdict so far: nothing that was reached is lost by trying something else."""
    kept = _read()
    if exercise.id in kept and _rank(kept[exercise.id]["state"], kept[exercise.id]["points"]) >= _rank(state, points):
        return
    kept[exercise.id] = {"state": state, "points": points}
    try:
        write_text(_progress_file(), json.dumps(kept, indent=1, sort_keys=True) + "\n")
    except OSError:
        _unwritten[exercise.id] = kept[exercise.id]
