"""What an exercise is: cases, an observation of the answer, and named sub-tests that judge it."""

import importlib
import inspect
import warnings
from dataclasses import dataclass

import numpy as np

from utils.checks.expect import NotYet
from utils.checks.observe import NOT_ATTEMPTED, Observations, run


@dataclass(frozen=True)
class Verdict:
    """What one sub-test says: its name, whether it is passed, its points, and a text where it is not."""

    name: str
    passed: bool
    points: int
    message: str = ""
    hidden: bool = False


def subtest(name, points=1, hidden=False):
    """Mark a method ``(self, cases, observed)`` of an :class:`Exercise` as a sub-test.

    Parameters
    ----------
    name : str
        What holds when it is passed, as a short sentence: students read it.
    points : int
        What it is worth.
    hidden : bool
        It counts when graded alone: a notebook's check leaves it out, feedback says no more than passed or not.
    """

    def mark(method):
        method.subtest = (name, points)
        method.hidden = hidden
        return method

    return mark


class Exercise:
    """One exercise. A subclass gives ``id``, ``title``, three ``hints``, ``inputs``, ``reference`` and sub-tests.

    ``forbidden`` names what would do the exercise's work, such as ``"skimage.feature.hog"``: grading flags an answer
    that uses it, for a person to look at.
    """

    id: str
    title: str
    hints: tuple[str, str, str]
    forbidden: tuple[str, ...] = ()

    def inputs(self, rng):
        """Cases: name -> keyword arguments of the answer, as plain data.

        Parameters
        ----------
        rng : numpy.random.Generator
            Fixed in a notebook, secret when graded.
        """
        raise TypeError(f"exercise {self.id} does not define inputs(rng)")

    def observe(self, answer, cases):
        """Outcome of ``answer(**case)`` for each case. The only method that touches the student's code."""
        return {name: run(answer, **case) for name, case in cases.items()}

    def reference(self):
        """A stand-in for the answer that is backed by a library."""
        raise TypeError(f"exercise {self.id} does not define reference()")

    def subtests(self, hidden=False):
        """The sub-tests in the order in which the class defines them: list of (name, points, method).

        Parameters
        ----------
        hidden : bool
            Include those that count when graded alone.
        """
        marked = [m for m in vars(type(self)).values() if hasattr(m, "subtest")]
        return [(*method.subtest, method.__get__(self)) for method in marked if hidden or not method.hidden]

    @property
    def points(self):
        """Sum of the points of the sub-tests that a notebook runs."""
        return sum(points for _, points, _ in self.subtests())

    def judge(self, cases, observed, hidden=False):
        """One :class:`Verdict` for each sub-test, from plain data alone; the hidden ones when they are asked for."""
        return [
            Verdict(name, not message, points, message, test.hidden)
            for name, points, test in self.subtests(hidden)
            for message in [_failure(test, cases, Observations(observed))]
        ]

    def examine(self, answer, rng):
        """The three steps in a row, as in a notebook: what was observed, and the verdicts on it.

        Returns
        -------
        observed : dict of str to dict
        verdicts : list of Verdict, or None where the answer is the untouched stub
        """
        cases = self.inputs(rng)
        observed = self.observe(answer, cases)
        return observed, None if is_untouched(observed) else self.judge(cases, observed)

    def default_rng(self):
        """The generator that a notebook's check uses: the same cases every time."""
        return np.random.default_rng([int(part) for part in self.id.split(".")])


def is_untouched(observed):
    """True where no case got further than the stub's NotImplementedError."""
    problems = [outcome["problem"] for outcome in observed.values()]
    return any(p and p["kind"] == NOT_ATTEMPTED for p in problems) and not any(
        outcome["problem"] is None for outcome in observed.values()
    )


def _failure(test, cases, observed):
    """Text of why the sub-test is not passed; empty where it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an oracle's word about odd input is not meant for the student
            test(cases, observed)
    except NotYet as reason:
        return str(reason) or "not passed"
    except Exception as error:  # plain data of a shape that the sub-test did not foresee
        return f"what came back could not be compared ({type(error).__name__}: {error})"
    return ""


def exercises(lab):
    """All exercises of a lab, in order.

    Parameters
    ----------
    lab : str
        Two digits, e.g. ``"03"``.

    Returns
    -------
    dict of str to Exercise
    """
    try:
        module = importlib.import_module(f"utils.checks.lab{lab}")
    except ModuleNotFoundError as error:
        if error.name != f"utils.checks.lab{lab}":
            raise
        raise ValueError(f"there is no lab {lab!r} with exercises") from None
    classes = [
        c
        for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, Exercise) and c.__module__ == module.__name__ and hasattr(c, "id")
    ]
    return {c.id: c() for c in classes}


def find(exercise_id):
    """The exercise of that id, e.g. ``"1.2"``; a ValueError lists the ids that there are."""
    number, dot, rest = str(exercise_id).partition(".")
    if not (number.isdigit() and dot and rest.isdigit()):
        raise ValueError(f'an exercise is named by lab and number, such as "1.2", got {exercise_id!r}')
    known = exercises(f"{int(number):02d}")
    if exercise_id not in known:
        raise ValueError(f"lab {int(number):02d} has the exercises {', '.join(known)}, got {exercise_id!r}")
    return known[exercise_id]
