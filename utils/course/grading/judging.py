"""Verdicts on what was observed in a student's kernel: cases from a secret seed, points for each sub-test."""

import numpy as np

from utils.checks.exchange import pack, unpack
from utils.checks.exercise import exercises, is_untouched

LONGEST = 2000  # characters of a message or of what was printed


class Judge:
    """The exercises of a lab, with cases of their own.

    Parameters
    ----------
    lab : str
        Two digits, e.g. ``"03"``.
    seed : int
        Kept from students: the cases follow from it.
    """

    def __init__(self, lab, seed):
        self.exercises = exercises(lab)
        self._seed, self._cases = seed, {}

    def cases(self, exercise_id):
        """The cases of an exercise, as bytes for the kernel."""
        if exercise_id not in self._cases:
            numbers = [int(part) for part in exercise_id.split(".")]
            rng = np.random.default_rng([self._seed, *numbers])
            self._cases[exercise_id] = pack(self.exercises[exercise_id].inputs(rng))
        return self._cases[exercise_id]

    def judge(self, exercise_id, data):
        """The exercise's part of a result, from the bytes that the kernel handed over.

        Returns
        -------
        dict
            ``state``, ``reason``, ``points``, ``max``, ``subtests`` and ``printed``.
        """
        try:
            observed = _outcomes(unpack(data))
        except ValueError as error:
            return self.stopped(exercise_id, f"what the answer returned could not be read: {error}")
        if is_untouched(observed):
            return self.stopped(exercise_id, "the exercise was left as it was handed out", "not attempted")
        exercise = self.exercises[exercise_id]
        verdicts = exercise.judge(unpack(self.cases(exercise_id)), observed, hidden=True)
        subtests = [
            {
                "name": verdict.name,
                "passed": verdict.passed,
                "points": verdict.points if verdict.passed else 0,
                "max": verdict.points,
                "message": verdict.message[:LONGEST],
                "hidden": verdict.hidden,
            }
            for verdict in verdicts
        ]
        correct = all(verdict.passed for verdict in verdicts)
        printed = next((outcome["printed"] for outcome in observed.values() if outcome["printed"]), "")
        return _part("correct" if correct else "not yet", "", subtests, printed[-LONGEST:])

    def stopped(self, exercise_id, reason, state="stopped"):
        """The exercise's part of a result where there is nothing to judge."""
        subtests = [
            {"name": name, "passed": False, "points": 0, "max": points, "message": "", "hidden": test.hidden}
            for name, points, test in self.exercises[exercise_id].subtests(hidden=True)
        ]
        return _part(state, reason[:LONGEST], subtests, "")


def _part(state, reason, subtests, printed):
    return {
        "state": state,
        "reason": reason,
        "points": sum(test["points"] for test in subtests),
        "max": sum(test["max"] for test in subtests),
        "subtests": subtests,
        "printed": printed,
    }


def _outcomes(observed):
    """Outcomes by case, as :func:`utils.checks.run` makes them; a ValueError where they are anything else."""
    if not isinstance(observed, dict):
        raise ValueError("it is not a dictionary of cases")
    for outcome in observed.values():
        if not isinstance(outcome, dict) or outcome.keys() != {"value", "problem", "printed"}:
            raise ValueError("a case has no value, problem and printed")
        problem, printed = outcome["problem"], outcome["printed"]
        if problem is not None and not (
            isinstance(problem, dict)
            and problem.keys() == {"kind", "message"}
            and all(isinstance(text, str) for text in problem.values())
        ):
            raise ValueError("a case has a problem without a text")
        if not isinstance(printed, str):
            raise ValueError("a case has printed something that is not text")
    return observed
