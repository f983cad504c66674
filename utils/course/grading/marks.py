"""A student's line of the gradebook: the grader's points, and what a person adds to them.

It is computed anew from the results each time, so that nothing is ever added twice:

1. marks by hand replace points of exercises or of single sub-tests (:mod:`overrides`);
2. the points are added up;
3. the penalty for being late is taken off the sum, which never falls below 0 (:mod:`lateness`).

Points are kept to two decimals; a half is rounded up.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from utils.course.grading.lateness import Lateness, explain, lateness, penalty
from utils.course.grading.overrides import with_overrides
from utils.course.grading.wording import points


def exercise_table(results):
    """The lab's exercises as the results know them, in order.

    Parameters
    ----------
    results : list of dict
        Results of a lab. Those of students without a notebook have no exercises, and add nothing.

    Returns
    -------
    list of dict
        ``{"id", "title", "max", "subtests": [{"name", "max", "hidden"}]}``
    """
    table = {}
    for result in results:
        for exercise in result.get("exercises", ()):
            known = table.setdefault(
                exercise["id"], {"id": exercise["id"], "title": "", "max": exercise["max"], "subtests": []}
            )
            known["title"] = known["title"] or exercise.get("title", "")
            known["max"] = max(known["max"], exercise["max"])
            if len(exercise.get("subtests", ())) > len(known["subtests"]):
                known["subtests"] = [
                    {"name": s["name"], "max": s["max"], "hidden": s.get("hidden", False)} for s in exercise["subtests"]
                ]
    return sorted(table.values(), key=lambda e: exercise_order(e["id"]))


def exercise_order(exercise_id):
    """A key that puts ``"3.10"`` behind ``"3.9"``, and what belongs to no exercise before all."""
    return [(int(part), "") if part.isdecimal() else (math.inf, part) for part in exercise_id.split(".") if part]


def complete(result, exercises):
    """A copy of a result in which every exercise of the lab stands, those that are not there with 0 points."""
    there = {exercise["id"]: exercise for exercise in result.get("exercises", ())}
    filled = [there[e["id"]] if e["id"] in there else _nothing(e) for e in exercises]
    return {**result, "exercises": filled, "max": sum(e["max"] for e in exercises)}


def _nothing(exercise):
    return {
        "id": exercise["id"],
        "title": exercise["title"],
        "state": "missing",
        "reason": "",
        "points": 0,
        "max": exercise["max"],
        "matched": "missing",
        "source": "",
        "stood_in": False,
        "subtests": [],
        "printed": "",
    }


def look(exercise):
    """How an exercise went, at a glance: ``correct``, ``part``, ``wrong``, or ``open`` where it was not attempted."""
    if exercise["max"] and exercise["points"] >= exercise["max"]:
        return "correct"
    if exercise["points"] > 0:
        return "part"
    return "open" if exercise["state"] in {"not attempted", "missing"} else "wrong"


@dataclass(frozen=True)
class Entry:
    """Everything about one student that the gradebook, the feedback and the report show.

    Parameters
    ----------
    student, name : str
    result : dict
        Complete, with the marks by hand in it.
    submitted, due : datetime or None
        `due` is the student's own, with an extension.
    late : Lateness
    reached : Decimal
        Sum of the points.
    penalty : Decimal
        What being late takes off.
    maximum : Decimal
    extended : bool
    late_words : str
        The penalty in words.
    notes : tuple of str
        For the instructor alone.
    """

    student: str
    name: str
    result: dict
    submitted: datetime | None
    due: datetime | None
    late: Lateness
    reached: Decimal
    penalty: Decimal
    maximum: Decimal
    extended: bool = False
    late_words: str = ""
    notes: tuple = ()

    @property
    def status(self):
        """``graded``, ``unreadable``, ``missing`` or ``failed``."""
        return self.result["status"]

    @property
    def total(self):
        """The mark: the sum of the points without the penalty, never below 0."""
        return self.reached - self.penalty

    @property
    def by_hand(self):
        """Ids of the exercises that a person marked."""
        return [exercise["id"] for exercise in self.result["exercises"] if exercise.get("by_hand")]

    @property
    def settled(self):
        """True where the total is a mark: graded, or marked by hand; a notebook that is missing has none."""
        return self.status == "graded" or bool(self.by_hand)


def mark(student, name, result, exercises, overrides=(), submitted=None, due=None, extension=None, rule=None, notes=()):
    """The :class:`Entry` of a student.

    Parameters
    ----------
    student, name : str
    result : dict
    exercises : list of dict
        As :func:`exercise_table` gives.
    overrides : iterable of Override
        Those of other students are passed over.
    submitted, due, extension : datetime or None
    rule : LateRule or None
    notes : iterable of str
    """
    own = [override for override in overrides if override.student == student]
    result = with_overrides(complete(result, exercises), own, exercises)
    own_due = extension or due
    late = lateness(own_due, submitted, rule)
    reached, maximum = points(result["points"]), points(result["max"])
    taken = penalty(late, rule, reached, maximum)
    notes = list(notes)
    if own_due is not None and submitted is None and result["status"] == "graded":
        notes.append("when it was handed in is not known: nothing is taken off for being late")
    return Entry(
        student,
        name,
        result,
        submitted,
        own_due,
        late,
        reached,
        taken,
        maximum,
        extended=extension is not None and extension != due,
        late_words=explain(late, rule, own_due, taken),
        notes=tuple(notes),
    )
