"""Every check against the solution, the untouched stub, and wrong answers."""

import functools
import importlib.util
import inspect
import pkgutil
from collections import Counter

import pytest

from tests.wrong_answers import wrong_answers
from utils.checks import exercises
from utils.course.source import exercise_namespace, find_sources

LABS = {source.number: source.path for source in find_sources()}
EXERCISES = [(lab, exercise_id) for lab in LABS for exercise_id in exercises(lab)]
WRONG = [(lab, w) for lab in LABS for w in wrong_answers(lab)]


@functools.cache
def answers(lab, stub):
    return exercise_namespace(LABS[lab], stub=stub)


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_the_solution_is_correct(lab, exercise_id):
    exercise = exercises(lab)[exercise_id]
    verdicts = exercise.examine(answers(lab, stub=False)[exercise_id], exercise.default_rng())[1]
    assert [v for v in verdicts if not v.passed] == []


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_the_solution_is_correct_on_other_inputs(lab, exercise_id):
    import numpy as np

    exercise = exercises(lab)[exercise_id]
    for seed in (101, 102):
        verdicts = exercise.examine(answers(lab, stub=False)[exercise_id], np.random.default_rng(seed))[1]
        assert [v for v in verdicts if not v.passed] == []


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_the_reference_is_correct(lab, exercise_id):
    exercise = exercises(lab)[exercise_id]
    verdicts = exercise.examine(exercise.reference(), exercise.default_rng())[1]
    assert [v for v in verdicts if not v.passed] == []


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_the_untouched_stub_is_not_attempted(lab, exercise_id):
    exercise = exercises(lab)[exercise_id]
    assert exercise.examine(answers(lab, stub=True)[exercise_id], exercise.default_rng())[1] is None


@pytest.mark.parametrize(("lab", "wrong"), WRONG, ids=[f"{w.exercise}-{w.name}" for _, w in WRONG])
def test_a_wrong_answer_is_rejected_by_the_sub_test_meant_for_it(lab, wrong):
    exercise = exercises(lab)[wrong.exercise]
    assert wrong.rejected_by in [name for name, _, _ in exercise.subtests()]
    verdicts = exercise.examine(wrong.answer, exercise.default_rng())[1]
    failed = {v.name: v.message for v in verdicts if not v.passed}
    assert wrong.rejected_by in failed
    assert failed[wrong.rejected_by].strip()


def pairs_of_functions(wrong, right):
    if isinstance(right, (tuple, list)):
        for one, other in zip(wrong, right, strict=True):
            yield from pairs_of_functions(one, other)
    elif callable(wrong) and callable(right):
        yield wrong, right


@pytest.mark.parametrize("lab", LABS)
def test_wrong_answers_are_wrong_by_what_they_do(lab):
    """Called by the solution's argument names, others would be refused whatever they do."""
    for wrong in wrong_answers(lab):
        for one, other in pairs_of_functions(wrong.answer, answers(lab, stub=False)[wrong.exercise]):
            names, right = (list(inspect.signature(function).parameters) for function in (one, other))
            assert names[: len(right)] == right, wrong.name


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_there_are_four_wrong_answers_and_three_hints(lab, exercise_id):
    assert Counter(w.exercise for _, w in WRONG)[exercise_id] >= 4
    hints = exercises(lab)[exercise_id].hints
    assert len(hints) == 3
    assert all(isinstance(h, str) and h.strip() for h in hints)


@pytest.mark.parametrize("lab", LABS)
def test_every_exercise_of_the_source_has_a_check_and_the_other_way_round(lab):
    assert list(answers(lab, stub=True)) == list(exercises(lab))


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_what_an_exercise_forbids_is_there(lab, exercise_id):
    for name in exercises(lab)[exercise_id].forbidden:
        module, _, attribute = name.rpartition(".")
        assert importlib.util.find_spec(name.split(".")[0])
        assert pkgutil.resolve_name(f"{module}:{attribute}") is not None, name
