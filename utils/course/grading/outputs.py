"""Everything that a graded class gives: gradebook, tables for Canvas and Moodle, feedback pages, the report."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from utils.course.grading.feedback import feedback_page
from utils.course.grading.flags import review_flags
from utils.course.grading.gradebook import FEEDBACK, canvas_table, grades_table, moodle_table
from utils.course.grading.lateness import LateRule, read_extensions
from utils.course.grading.marks import exercise_table, mark
from utils.course.grading.overrides import read_overrides
from utils.course.grading.report import report_page
from utils.course.grading.roster import unique_ids
from utils.course.grading.tables import write_table
from utils.course.grading.wording import moment
from utils.course.notebook import join
from utils.files import write_text


@dataclass(frozen=True)
class Options:
    """What the outputs depend on besides results, submissions and roster; plain data.

    Parameters
    ----------
    lab : str
        Two digits.
    title : str
        Of all pages, such as ``"Lab 03 · A first CNN"``.
    exercises : sequence of dict
        As :func:`~utils.course.grading.marks.exercise_table` gives; empty to take them from the results.
    imports : str
        Source of the lab's set-up and imports cells.
    solutions, stubs : dict of str to str
        Exercise -> the published cell, and the cell as it is handed out.
    forbidden : dict of str to sequence of str
        Exercise -> what it forbids.
    due : datetime or None
        With its time zone, see :func:`~utils.course.grading.lateness.parse_due`.
    rule : LateRule or None
        See :func:`~utils.course.grading.lateness.parse_rule`.
    overrides, extensions : pathlib.Path or None
        CSV files; a path where nothing is counts as None.
    facts : sequence of (str, str)
        Lines about how it was graded: isolation, calibration, versions, ...
    warnings : sequence of str
        What the instructor must not miss, such as grading without isolation.
    """

    lab: str
    title: str = ""
    exercises: tuple = ()
    imports: str = ""
    solutions: dict = field(default_factory=dict)
    stubs: dict = field(default_factory=dict)
    forbidden: dict = field(default_factory=dict)
    due: datetime | None = None
    rule: LateRule | None = None
    overrides: Path | None = None
    extensions: Path | None = None
    facts: tuple = ()
    warnings: tuple = ()


def lab_options(lab, topic, truth, stubs, exercises, **more):
    """The :class:`Options` of a lab.

    Parameters
    ----------
    lab : str
        Two digits.
    topic : str
        Its title where its notebook has no heading; may be empty.
    truth : dict
        The notebook of its solutions.
    stubs : dict of str to str
        Exercise -> the cell as it is handed out.
    exercises : dict of str to Exercise
        As :func:`utils.checks.exercises` gives.
    **more
        The other options.
    """
    topic = _heading(truth) or topic
    cells = [cell for cell in truth["cells"] if cell["cell_type"] == "code"]
    imports = [c for c in cells if {"setup", "imports"} & set(c["metadata"].get("tags", ()))]
    return Options(
        lab,
        title=f"Lab {lab} · {topic}" if topic else f"Lab {lab}",
        exercises=tuple(
            {
                "id": exercise.id,
                "title": exercise.title,
                "max": sum(points for _, points, _ in exercise.subtests(hidden=True)),
                "subtests": [
                    {"name": name, "max": points, "hidden": test.hidden}
                    for name, points, test in exercise.subtests(hidden=True)
                ],
            }
            for exercise in exercises.values()
        ),
        imports="\n".join(join(cell["source"]) for cell in imports),
        solutions={c["metadata"]["exercise"]: join(c["source"]) for c in cells if c["metadata"].get("exercise")},
        stubs=dict(stubs),
        forbidden={name: tuple(exercise.forbidden) for name, exercise in exercises.items()},
        **more,
    )


def _heading(truth):
    """The title of a lab's notebook: ``A first CNN`` of ``# 03 · A first CNN``; empty where it has none."""
    texts = (join(cell["source"]) for cell in truth["cells"] if cell["cell_type"] == "markdown")
    found = re.match(r"# (?:\d+\s*[·:.–-]\s*)?(.+)", next(texts, ""))
    return found[1].strip() if found else ""


def write_outputs(folder, results, submissions, people, options, say=print):
    """Write everything; each file whole or not at all, the same bytes for the same inputs.

    Parameters
    ----------
    folder : pathlib.Path
        ``GRADES``. Written are ``grades.csv``, ``report.html``, ``feedback/STUDENT.html``, and ``canvas.csv`` and
        ``moodle.csv`` where the roster has what they need (an older one is deleted where it has not).
    results : list of dict
        In any order.
    submissions : list of Submission
        Of the whole class, also of those who handed in nothing; may be empty where the results are all there is.
    people : list of Person
        The roster; may be empty.
    options : Options
    say : callable
        Told, in lines, what was not written and why.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    CourseError
        Where overrides or extensions cannot be used; nothing is written then.
    """
    folder = Path(folder)
    entries, exercises = class_entries(results, submissions, people, options)
    pages = {name: f"{file}.html" for name, file in unique_ids(entry.student for entry in entries).items()}
    review = review_flags(
        [entry.result | {"student": entry.student} for entry in entries],
        options.imports,
        options.solutions,
        options.forbidden,
        options.stubs,
    )
    title = options.title or f"Lab {options.lab}"
    written = [folder / "grades.csv"]
    write_table(written[0], *grades_table(entries, exercises, review.flags, pages))
    tables = {"canvas.csv": canvas_table(entries, people, options.lab), "moodle.csv": moodle_table(entries, people)}
    for name, table in tables.items():
        path = folder / name
        if isinstance(table, str):
            path.unlink(missing_ok=True)
            if people:
                say(f"{name} is not written: {table}")
            continue
        write_table(path, *table)
        written.append(path)
    for entry in entries:
        path = folder / FEEDBACK / pages[entry.student]
        write_text(path, feedback_page(entry, title))
        written.append(path)
    facts = [*options.facts]
    if options.due is not None:
        facts.append(("due", moment(options.due)))
        facts.append(("late", str(options.rule) if options.rule else "nothing is taken off"))
    write_text(folder / "report.html", report_page(entries, exercises, review, pages, title, facts, options.warnings))
    return [*written, folder / "report.html"]


def class_entries(results, submissions, people, options):
    """One :class:`~utils.course.grading.marks.Entry` for each student of the class, in order, whatever is missing.

    Parameters
    ----------
    results : list of dict
    submissions : list of Submission
    people : list of Person
    options : Options

    Returns
    -------
    entries : list of Entry
    exercises : list of dict
        Of the lab.

    Raises
    ------
    CourseError
        Where overrides or extensions cannot be used.
    """
    by_student = {result["student"]: result for result in results}
    handed_in = {submission.student: submission for submission in submissions}
    known = {person.student: person for person in people}
    students = sorted({*by_student, *handed_in, *known})
    exercises = list(options.exercises) or exercise_table(results)
    names = _names(students, handed_in, known)
    overrides = read_overrides(options.overrides, names, exercises) if _there(options.overrides) else []
    extensions = read_extensions(
        options.due,
        names,
        options.extensions if _there(options.extensions) else None,
        {person.student: _due_of(person) for person in people},
    )
    entries = []
    for student in students:
        submission, person = handed_in.get(student), known.get(student)
        result = by_student.get(student) or _without_result(student, submission, options.lab)
        notes = [*(submission.notes if submission else ()), *result.get("notes", ())]
        entries.append(
            mark(
                student,
                (submission.name if submission else "") or (person.name if person else ""),
                result,
                exercises,
                overrides,
                submitted=(submission.submitted if submission else None) or (person.submitted if person else None),
                due=options.due,
                extension=extensions.get(student),
                rule=options.rule,
                notes=dict.fromkeys(notes),
            )
        )
    return entries, exercises


def _there(path):
    return path is not None and Path(path).exists()


def _names(students, handed_in, known):
    """What a student may be called in a file: the id, the roster's ids and addresses, a name that only one has."""
    called = {}
    for student in students:
        person, submission = known.get(student), handed_in.get(student)
        words = {student, *(person.aliases if person else ())}
        words |= {person.name} if person else set()
        words |= {submission.name} if submission else set()
        for word in words:
            if word:
                called.setdefault(word.casefold(), set()).add(student)
    names = {word: next(iter(owners)) for word, owners in called.items() if len(owners) == 1}
    return names | {student.casefold(): student for student in students}


def _due_of(person):
    """What stands in the roster's column ``due``; empty where there is none."""
    return next((text for column, text in person.row.items() if column.strip().casefold() == "due"), "")


def _without_result(student, submission, lab):
    """The result of a student whom nobody has graded."""
    if submission is None:
        status, reason = "missing", "nothing was handed in"
    elif submission.problem:
        status, reason = "unreadable" if submission.file else "missing", submission.problem
    else:
        status, reason = "failed", "it has not been graded yet: run the command again"
    return {
        "student": student,
        "file": submission.file if submission else "",
        "lab": lab,
        "status": status,
        "reason": reason,
        "exercises": [],
        "cells": [],
    }
