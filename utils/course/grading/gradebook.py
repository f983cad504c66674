"""The gradebook as tables: the course's own, and those that Canvas and Moodle import."""

import html
import re
from decimal import Decimal, InvalidOperation

from utils.course.grading.wording import duration, moment, number, points

FEEDBACK = "feedback"  # the folder of the students' pages


def grades_table(entries, exercises, flags, pages):
    """``grades.csv``: one row for each student.

    Parameters
    ----------
    entries : list of Entry
    exercises : list of dict
        As :func:`~utils.course.grading.marks.exercise_table` gives.
    flags : dict of str to sequence of Flag
        By student.
    pages : dict of str to str
        Student -> name of the feedback's file.

    Returns
    -------
    columns : list of str
    rows : list of list
        Numbers are Decimal or int, and None where there is no mark: of a ``failed`` submission nothing is known.
    """
    columns = [
        *("student", "name", "status"),
        *(f"exercise {exercise['id']}" for exercise in exercises),
        *("points", "late penalty", "total", "maximum", "percent"),
        *("submitted", "late by", "marked by hand", "to review", "flags", "reason", "notes", "file", "feedback"),
    ]
    return columns, [_row(entry, flags.get(entry.student, ()), pages) for entry in entries]


def _row(entry, flags, pages):
    unknown = entry.status == "failed" and not entry.by_hand
    percent = points(100 * entry.total / entry.maximum) if entry.maximum else None
    marks = [entry.reached, entry.penalty, entry.total]
    return [
        entry.student,
        entry.name,
        entry.status,
        *(None if unknown else points(exercise["points"]) for exercise in entry.result["exercises"]),
        *([None] * 3 if unknown else marks),
        entry.maximum,
        None if unknown else percent,
        moment(entry.submitted),
        duration(entry.late.late) if entry.late.late else "",
        ", ".join(entry.by_hand),
        sum(flag.asks for flag in flags),
        "; ".join(f"{flag.exercise} {flag.kind}: {flag.text}" for flag in flags),
        entry.result.get("reason", ""),
        "; ".join(entry.notes),
        entry.result.get("file", ""),
        f"{FEEDBACK}/{pages[entry.student]}",
    ]


# Canvas


def canvas_table(entries, people, lab):
    """``canvas.csv``, for Canvas: Grades > Import.

    Canvas wants the columns that tell who a student is as its own export has them, from ``Student`` to ``Section``,
    then the assignment. A cell is left empty where there is no mark (nothing handed in, unreadable, failed): it changes
    nothing in Canvas.

    Parameters
    ----------
    entries : list of Entry
    people : list of Person
        The roster; None of them has to be from Canvas.
    lab : str
        Two digits.

    Returns
    -------
    (list of str, list of list), or str
        Columns and rows; or, in words, why there is no such table.
    """
    first = next((person.row for person in people if person.row), {})
    columns = list(first)
    if columns[:2] != ["Student", "ID"] or "Section" not in columns:
        return "the roster is not a gradebook exported from Canvas (columns Student, ID, ..., Section)"
    columns = columns[: columns.index("Section") + 1]
    title = _canvas_assignment(first, lab)
    by_student = {entry.student: entry for entry in entries}
    maximum = entries[0].maximum if entries else Decimal(0)
    rows = [["    Points Possible", *[""] * (len(columns) - 1), maximum]]
    for person in people:
        entry = by_student.get(person.student)
        rows.append([person.row.get(column, "") for column in columns] + [_exported(entry)])
    return [*columns, title], rows


def _canvas_assignment(columns, lab):
    """The assignment's column in the export, such as ``Lab 03 (4711)``; ``Lab 03`` makes Canvas offer a new one."""
    for column in columns:
        if re.match(rf"lab\s*0*{int(lab)}\b.*\(\d+\)$", column, re.IGNORECASE):
            return column
    return f"Lab {lab}"


def _exported(entry):
    return entry.total if entry is not None and entry.settled else None


# Moodle


def moodle_table(entries, people):
    """``moodle.csv``: the offline grading worksheet, filled in, or a table for Moodle's Grades > Import.

    Where the roster is the worksheet that Moodle's assignment gave (``Identifier``, ``Grade``, ``Last modified
    (grade)``), all its columns are kept, and ``Grade`` and ``Feedback comments`` are filled in; grades are scaled to
    its ``Maximum Grade``. Where it has addresses alone, it is ``Email address``, ``Grade``, ``Feedback comments``.
    A row is left as it was where there is no mark.

    Parameters
    ----------
    entries : list of Entry
    people : list of Person
        The roster.

    Returns
    -------
    (list of str, list of list), or str
        Columns and rows; or, in words, why there is no such table.
    """
    first = next((person.row for person in people if person.row), {})
    known = {_plain(column): column for column in first}
    by_student = {entry.student: entry for entry in entries}
    if {"identifier", "grade", "last modified (grade)"} <= known.keys():
        return _worksheet(by_student, people, first, known)
    address = next(
        (known[name] for name in ("email address", "email", "e-mail", "e-mail address") if name in known), None
    )
    if address is None:
        return "the roster has neither Moodle's columns (Identifier, Grade, Last modified (grade)) nor addresses"
    rows = []
    for person in people:
        entry = by_student.get(person.student)
        if person.row.get(address):
            rows.append([person.row[address], _exported(entry), feedback_comment(entry)])
    return ["Email address", "Grade", "Feedback comments"], rows


def _worksheet(by_student, people, first, known):
    grade, comments = known["grade"], known.get("feedback comments", "Feedback comments")
    columns = list(first) if comments in first else [*first, comments]
    rows = []
    for person in people:
        entry = by_student.get(person.student)
        row = dict(person.row)
        if _exported(entry) is not None:
            row[grade] = _scaled(entry, row.get(known.get("maximum grade", ""), ""))
            row[comments] = feedback_comment(entry)
        rows.append([row.get(column, "") for column in columns])
    return columns, rows


def _scaled(entry, most):
    """The total on the assignment's own scale."""
    try:
        most = Decimal(most.replace(",", "."))
    except InvalidOperation:
        return entry.total
    if not entry.maximum or not most.is_finite() or most <= 0:
        return entry.total
    return points(entry.total * most / entry.maximum)


def _plain(name):
    return " ".join(name.casefold().split())


def feedback_comment(entry):
    """The feedback in a few words, fit for HTML as Moodle shows it: points, penalty, words of the instructor.

    Nothing that a student has written stands in it.
    """
    if _exported(entry) is None:
        return ""
    parts = [f"{number(entry.total)} of {number(entry.maximum)} points."]
    parts += [
        f"{exercise['id']} {exercise['title']}: {number(exercise['points'])}/{number(exercise['max'])}."
        for exercise in entry.result["exercises"]
    ]
    parts += [entry.late_words] if entry.late_words else []
    parts += [f"{e['id']}: {comment}" for e in entry.result["exercises"] for comment in e.get("comments", ())]
    return "<br>".join(html.escape(part) for part in parts)
