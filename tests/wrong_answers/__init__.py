"""Plausible wrong answers to each exercise, and the sub-test that has to reject each of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WrongAnswer:
    """A wrong answer: the exercise, the sub-test meant for it, and the function (or tuple of functions)."""

    exercise: str
    rejected_by: str
    answer: object
    name: str


_collected = []


def wrong(exercise, rejected_by):
    """Mark a function as a wrong answer to an exercise.

    Parameters
    ----------
    exercise : str
        Such as ``"1.2"``.
    rejected_by : str
        Name of the sub-test that has to fail.
    """

    def collect(answer):
        add_wrong(exercise, rejected_by, answer, answer.__name__)
        return answer

    return collect


def add_wrong(exercise, rejected_by, answer, name):
    """The same for answers that are no single function, e.g. a tuple."""
    _collected.append(WrongAnswer(exercise, rejected_by, answer, name))


def wrong_answers(lab):
    """All wrong answers of a lab: list of WrongAnswer."""
    import importlib

    importlib.import_module(f"tests.wrong_answers.lab{lab}")
    return [w for w in _collected if f"{int(w.exercise.split('.')[0]):02d}" == lab]
