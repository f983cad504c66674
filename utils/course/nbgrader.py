"""The labs for nbgrader: source notebooks with its metadata, in the folder of a course of its own.

The marks around solutions are nbgrader's. What it needs besides is metadata: a cell with an exercise is an answer,
which it cuts at the marks; the check below is a graded test. Under nbgrader a check returns its points, and nbgrader
takes what a graded cell returns as partial credit.
"""

import runpy

from utils.checks import Exercise
from utils.course.errors import CourseError
from utils.course.notebook import dumps, solution_notebook
from utils.course.rules import ANSWER

SETTINGS = """\
# Settings of nbgrader for this course. In this folder:
#   nbgrader generate_assignment NN_topic      makes release/ from source/
#   nbgrader autograde NN_topic                grades what lies in submitted/STUDENT/NN_topic/
#   nbgrader generate_feedback NN_topic
# The notebooks find utils/ here; on other machines their first cell fetches the course.
c = get_config()  # noqa: F821

# An answer that begins like this counts as not attempted.
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("Exercise still to be written")'}
c.Execute.timeout = 900  # seconds for a cell: some train a network
"""


def nbgrader_files(course, lab, cells):
    """nbgrader's source notebook of a lab, and the settings.

    Parameters
    ----------
    course : Course
        Its check module says what an exercise is worth.
    lab : Lab
    cells : list of Cell
        Of the source, at the address where the course will live.

    Returns
    -------
    dict of str to bytes
        Path, with slashes, -> content.
    """
    notebook = solution_notebook(lab, cells)
    kept = [cell for cell in notebook["cells"] if ANSWER not in cell["metadata"].get("tags", ())]
    points = _points(course, lab)
    for cell in kept:
        role, _, number = cell["id"].partition("-")
        if role in ("exercise", "check") and number.replace("-", ".") not in points:
            raise CourseError(f"utils/checks/lab{lab.number}.py has no exercise {number.replace('-', '.')}")
        if role == "exercise":
            cell["metadata"]["nbgrader"] = _metadata(cell, solution=True)
        elif role == "check":
            cell["metadata"]["nbgrader"] = _metadata(cell, points=points[number.replace("-", ".")])
        elif role in ("setup", "imports"):
            cell["metadata"]["nbgrader"] = _metadata(cell)
    text = dumps(notebook | {"cells": kept})
    return {f"source/{lab.name}/{lab.name}.ipynb": text.encode(), "nbgrader_config.py": SETTINGS.encode()}


def _metadata(cell, solution=False, points=None):
    """What nbgrader wants to know of a cell: an answer, a graded test (with points), or one that nobody may change."""
    graded = {} if points is None else {"points": points}
    return graded | {
        "grade": points is not None,
        "grade_id": cell["id"],
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }


def _points(course, lab):
    """Exercise id -> points, from the lab's check module."""
    path = course.root / "utils" / "checks" / f"lab{lab.number}.py"
    values = runpy.run_path(str(path)).values() if path.is_file() else ()
    classes = [v for v in values if isinstance(v, type) and issubclass(v, Exercise) and hasattr(v, "id")]
    return {c.id: c().points for c in classes}
