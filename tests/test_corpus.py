"""The class of hand-ins made by code: found, read and composed as it has to be. Nothing hostile runs here."""

from collections import Counter

import pytest

from tests.corpus import write_class
from tests.corpus.notebooks import handout
from tests.corpus.points import points
from utils.course.grading.compose import compose
from utils.course.grading.reading import read_notebook
from utils.course.grading.submissions import find_submissions

LABS = pytest.mark.parametrize("number", ["01", pytest.param("03", marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def class_of(tmp_path_factory):
    """Writes the class of a lab once: (list of Expected, student -> Submission)."""
    made = {}

    def make(number):
        if number not in made:
            folder = tmp_path_factory.mktemp(f"class{number}")
            lab = handout(number)
            students = write_class(folder, number)
            found = find_submissions(folder, lab.lab, lab.truth)
            made[number] = students, {submission.student: submission for submission in found}
        return made[number]

    return make


@LABS
def test_every_hand_in_is_found_and_the_ungraded_have_a_reason(class_of, number):
    students, found = class_of(number)
    assert sorted(found) == [expected.student for expected in students]
    for expected in students:
        submission = found[expected.student]
        assert bool(submission.problem) != expected.graded, (expected, submission.problem)
        assert not expected.graded or submission.data


@LABS
def test_the_class_is_large_and_its_numbers_fit(class_of, number):
    students, _ = class_of(number)
    kinds = Counter(expected.kind for expected in students)
    assert len(students) >= 60 and min(kinds["honest"], kinds["damaged"], kinds["hostile"]) >= 20
    full = points(number).full
    for expected in students:
        assert expected.exercises.keys() <= full.keys()
        assert all(earned <= full[exercise] for exercise, earned in expected.exercises.items())
        assert sum(expected.exercises.values()) <= expected.at_most <= sum(full.values())
        if expected.kind != "hostile":
            assert expected.points == expected.at_most == sum(expected.exercises.values())


@LABS
def test_the_honest_code_of_a_composed_notebook_is_worth_what_is_said(class_of, number):
    students, found = class_of(number)
    lab, marks = handout(number), points(number)
    known = {(exercise, source): marks.full[exercise] for exercise, source in lab.solutions.items()}
    wrong = []
    for expected in students:
        if expected.kind == "hostile" or not expected.graded:
            continue
        for answer in compose(lab.truth, read_notebook(found[expected.student].data)):
            key = answer.exercise, (answer.source or "").rstrip("\n")
            if answer.source is None or answer.untouched:
                earned = 0
            else:
                earned = known[key] = known[key] if key in known else marks.of(*key)
            if earned != expected.exercises[answer.exercise]:
                wrong.append((expected.student, answer.exercise, answer.how, earned, answer.note))
    assert not wrong


@LABS
def test_every_attack_is_python_and_is_found(class_of, number):
    students, found = class_of(number)
    lab = handout(number)
    for expected in students:
        if expected.kind == "hostile":
            answers = compose(lab.truth, read_notebook(found[expected.student].data))
            attacks = [a for a in answers if a.source and "in_sandbox" in a.source]
            assert len(attacks) == 1, expected.student
            compile(attacks[0].source, expected.student, "exec")
