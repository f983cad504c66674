"""A class of made-up hand-ins through the whole command: every student has the points that are due, and no more.

Honest ones get exactly their points, damaged ones cost nobody else anything, hostile ones gain nothing over the honest
code that they contain and pay for their own exercise alone.
"""

import json
import shutil
import subprocess
import sys

import pytest

from tests.corpus import KINDS, write_class
from utils.course.grading.isolation import sandbox_problem
from utils.course.grading.tables import read_table
from utils.files import ROOT

pytestmark = pytest.mark.alone

# How a damaged file is read does not hang on the lab.
CLASSES = {"01": KINDS, "03": ("honest", "hostile")}


@pytest.fixture(scope="module", params=CLASSES)
def graded(request, tmp_path_factory):
    """(what is expected, the rows of grades.csv by student, the results by student) of a class."""
    if sandbox_problem():
        pytest.skip(f"hostile code is run in a sandbox alone: {sandbox_problem()}")
    folder = tmp_path_factory.mktemp("class")
    expected = write_class(folder / "submissions", request.param, CLASSES[request.param])
    if request.param != "01":  # what runs until its time is up does so whatever the lab is about
        for hand_in in [hand_in for hand_in in expected if hand_in.slow]:
            shutil.rmtree(folder / "submissions" / hand_in.student)
            expected.remove(hand_in)
    command = [sys.executable, "-m", "utils.course", "grade", folder / "submissions", "--lab", request.param]
    command += ["-o", folder / "grades", "--skip-training", "--cell-seconds", "4", "-j", "2"]
    run = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    rows = {row.get("student"): row for row in read_table(folder / "grades/grades.csv").rows}
    results = [json.loads(path.read_text(encoding="utf-8"))["result"] for path in folder.glob("grades/results/*.json")]
    return expected, rows, {result["student"]: result for result in results}


def told(expected, rows, results):
    """The hand-ins that did not get what they should, in words."""
    for hand_in in expected:
        row, result = rows[hand_in.student], results.get(hand_in.student)
        got = {exercise["id"]: exercise["points"] for exercise in result["exercises"]} if result else {}
        points = float(row.get("points") or 0)
        harmed = {id_: (got.get(id_), wanted) for id_, wanted in hand_in.exercises.items() if got.get(id_) != wanted}
        wrong = hand_in.points is not None and points != hand_in.points
        if wrong or points > hand_in.at_most or harmed or (row.get("status") == "graded") != hand_in.graded:
            yield (
                f"{hand_in.kind} {hand_in.student} ({hand_in.what}): {row.get('status')}, {points} points, wanted "
                f"{hand_in.points}, at most {hand_in.at_most}; exercises (got, wanted) {harmed}; {row.get('reason')}"
            )


@pytest.mark.slow
def test_every_student_has_exactly_one_row(graded):
    expected, rows, _ = graded
    assert len(expected) >= 60
    assert sorted(rows) == sorted(hand_in.student for hand_in in expected)


@pytest.mark.slow
def test_everybody_gets_what_is_due(graded):
    assert not [*told(*graded)]


@pytest.mark.slow
def test_what_cannot_be_graded_has_a_reason_in_words(graded):
    expected, rows, _ = graded
    reasons = [rows[hand_in.student].get("reason") for hand_in in expected if not hand_in.graded]
    assert reasons or all(hand_in.kind != "damaged" for hand_in in expected)
    assert all(len(reason.split()) > 2 for reason in reasons)
