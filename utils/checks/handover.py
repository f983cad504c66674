"""When a notebook is graded, a check does not judge: it observes the answer and hands over what it saw.

The variable ``COURSE_GRADING`` names the folder in which the grader has put the cases, as ``cases``, and from which it
takes what was observed, as ``observed``; both are written by :mod:`utils.checks.exchange`. The grader judges outside
of the process that runs the student's code.
"""

import os
from pathlib import Path

from utils.checks.exchange import pack, unpack


def exchange_folder():
    """The folder that a grader watches, or None where nothing is graded."""
    name = os.environ.get("COURSE_GRADING")
    return Path(name) if name else None


def hand_over(exercise, answer, folder):
    """Observe `answer` on the grader's cases.

    Parameters
    ----------
    exercise : Exercise
    answer : callable or tuple of callables
    folder : pathlib.Path
        See :func:`exchange_folder`.
    """
    cases = unpack((folder / "cases").read_bytes())
    (folder / "observed").write_bytes(pack(exercise.observe(answer, cases)))
