"""Marks by hand: ``overrides.csv``."""

import difflib
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from utils.course.errors import CourseError
from utils.course.grading.tables import read_table
from utils.course.grading.wording import number, points, visible


@dataclass(frozen=True)
class Override:
    """A mark by hand: it takes the place of the points of an exercise or, where `subtest` names one, of a sub-test."""

    line: int
    student: str
    exercise: str
    subtest: str
    points: Decimal
    comment: str


def read_overrides(path, names, exercises):
    """The marks by hand in a CSV file with the columns ``student``, ``exercise``, ``points`` and ``comment``.

    ``exercise`` holds the id of an exercise (``3.2``), an exercise and one of its sub-tests (``3.2 / the probabilities
    sum to one``), or a sub-test's name alone where the lab has it once.

    Parameters
    ----------
    path : pathlib.Path
    names : dict of str to str
        What a student may be called, in lower case -> student.
    exercises : list of dict
        As :func:`exercise_table` gives.

    Returns
    -------
    list of Override

    Raises
    ------
    CourseError
        Names every line that cannot be used: an unknown student or exercise, points that are not a number from 0 to
        the maximum, two marks for the same thing.
    """
    table = read_table(path)
    wanted = {
        "student": table.column("student", "student id", "id", "login"),
        "exercise": table.column("exercise", "sub-test", "subtest", "check"),
        "points": table.column("points", "score", "mark"),
    }
    if missing := [name for name, column in wanted.items() if column is None]:
        raise CourseError(
            f"{table.name} has no column {' and no column '.join(map(repr, missing))}: "
            "it needs student, exercise, points and may have comment"
        )
    comments = table.column("comment", "comments", "reason")
    problems, overrides, first = [], [], {}
    for row in table.rows:
        try:
            student = find_student(row.get(wanted["student"]), names)
            exercise, subtest, most = _target(row.get(wanted["exercise"]), exercises)
            given = _points(row.get(wanted["points"]), most)
            for target in {(student, exercise, subtest), (student, exercise, "")}:
                if target in first:
                    raise ValueError(f"{exercise} of {student} is marked in line {first[target]} already")
            if not subtest and (lines := [n for key, n in first.items() if key[:2] == (student, exercise)]):
                raise ValueError(f"a sub-test of {exercise} of {student} is marked in line {lines[0]} already")
        except ValueError as error:
            problems.append(f"{table.name}:{row.line}: {error}")
            continue
        first[student, exercise, subtest] = row.line
        overrides.append(Override(row.line, student, exercise, subtest, given, visible(row.get(comments), 2000)))
    if problems:
        raise CourseError("\n".join(problems))
    return overrides


def find_student(text, names):
    """The student whom a line of a file names; a ValueError where there is none, or nobody by that name."""
    if not text:
        raise ValueError("names no student")
    student = names.get(text.casefold())
    if student is None:
        close = difflib.get_close_matches(text.casefold(), names, n=1)
        meant = f"; did you mean {names[close[0]]!r}?" if close else ""
        raise ValueError(f"there is no student {text!r} in the class{meant}")
    return student


def _target(text, exercises):
    """(exercise, sub-test or "", maximum) of what a line names."""
    by_id = {exercise["id"]: exercise for exercise in exercises}
    text = re.sub(r"^exercise\s+", "", text, flags=re.IGNORECASE)
    if text in by_id:
        return text, "", by_id[text]["max"]
    head, _, tail = (part.strip() for part in re.sub(r"^([\d.]+)\s*[:/]", r"\1/", text).partition("/"))
    inside = [by_id[head]] if head in by_id and tail else exercises
    name = tail if head in by_id and tail else text
    found = [
        (exercise["id"], subtest["name"], subtest["max"])
        for exercise in inside
        for subtest in exercise["subtests"]
        if subtest["name"].casefold() == name.casefold()
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"several exercises have a sub-test {name!r}: write {found[0][0]} / {name}")
    if head in by_id and tail:
        has = "; ".join(subtest["name"] for subtest in by_id[head]["subtests"])
        raise ValueError(f"exercise {head} has no sub-test {tail!r}; it has: {has}")
    raise ValueError(f"there is no exercise or sub-test {text!r}; the exercises are {', '.join(by_id) or 'not known'}")


def _points(text, most):
    try:
        given = Decimal(text.replace(",", "."))
    except InvalidOperation:
        raise ValueError(f"points have to be a number, got {text!r}") from None
    if not given.is_finite() or given < 0:
        raise ValueError(f"points have to be a number from 0, got {text}")
    if given > most:
        raise ValueError(f"{text} points are more than the maximum of {number(most)}")
    return points(given)


def with_overrides(result, overrides, exercises):
    """A copy of a complete result with the marks by hand in it.

    Exercises marked by hand have ``by_hand``: True where all of it was, the names of the sub-tests otherwise; and
    ``comments``, the instructor's words.
    """
    maxima = {(e["id"], s["name"]): s["max"] for e in exercises for s in e["subtests"]}
    marked = [dict(exercise) for exercise in result["exercises"]]
    for exercise in marked:
        own = [override for override in overrides if override.exercise == exercise["id"]]
        if not own:
            continue
        exercise["comments"] = [override.comment for override in own if override.comment]
        if not own[0].subtest:
            exercise["points"], exercise["by_hand"] = own[0].points, True
            continue
        given = {override.subtest: override for override in own}
        there = {subtest["name"]: subtest for subtest in exercise["subtests"]}
        subtests = []
        for (owner, name), most in maxima.items():
            if owner == exercise["id"]:
                subtest = there.get(name, {"name": name, "passed": False, "points": 0, "max": most, "message": ""})
                if name in given:
                    subtest = {
                        **subtest,
                        "points": given[name].points,
                        "passed": given[name].points >= most,
                        "message": "",
                        "by_hand": True,
                    }
                subtests.append(subtest)
        exercise["subtests"], exercise["by_hand"] = subtests, sorted(given)
        exercise["points"] = sum((Decimal(str(s["points"])) for s in subtests), Decimal(0))
    return {**result, "exercises": marked, "points": sum((points(e["points"]) for e in marked), Decimal(0))}
