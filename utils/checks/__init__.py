"""Exercises and what judges them.

In a notebook: :func:`check` an answer, ask for a :func:`hint`, go on with a :func:`reference`, read the
:func:`solution`. In ``utils/checks/labNN.py``: an exercise is a class derived from :class:`Exercise`, with
:func:`subtest` on each of its named sub-tests and :mod:`expect <utils.checks.expect>` to compare.

The three steps of a check are kept apart, so that a grader can run them in different processes:

``inputs(rng)``
    makes the cases;
``observe(answer, cases)``
    is the only step that touches the student's code; it returns plain data;
``judge(cases, observed)``
    compares with the oracle and returns one verdict for each sub-test.
"""

from utils.checks import expect
from utils.checks.exercise import Exercise, Verdict, exercises, find, subtest
from utils.checks.notebook import check, hint, progress, reference, solution
from utils.checks.observe import run

__all__ = [
    "Exercise",
    "Verdict",
    "check",
    "exercises",
    "expect",
    "find",
    "hint",
    "progress",
    "reference",
    "run",
    "solution",
    "subtest",
]
