"""nbgrader takes the labs over: its own conversion, its own grading."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.course_example import make_course
from utils import checks
from utils.checks import exercises
from utils.course.errors import CourseError
from utils.course.layout import load_course
from utils.course.marks import BEGIN
from utils.course.notebook import join
from utils.course.release import release
from utils.course.rules import ANSWER, find_leaks, solution_secrets
from utils.course.source import read_cells, select_labs
from utils.files import ROOT

LAB = select_labs(["00"])[0]
STUB = 'raise NotImplementedError("Exercise still to be written")'


def cells(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))["cells"]


def nbgrader(folder, *arguments):
    """Run one of nbgrader's commands in a folder; it looks for its own helpers on the PATH."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COURSE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments, LAB.name],
        cwd=folder,
        env=kept | {"PATH": places},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    """A folder of nbgrader's, in which the students' version of lab 00 has been made."""
    pytest.importorskip("nbgrader")
    folder = tmp_path_factory.mktemp("nbgrader") / "course"
    release(load_course(), folder, labs=["0"], nbgrader=True, say=str)
    nbgrader(folder, "generate_assignment")
    return folder


def test_the_source_has_the_solutions_and_no_answers_to_questions(classroom):
    source = cells(classroom / "source" / LAB.name / f"{LAB.name}.ipynb")
    assert sum(BEGIN in join(cell["source"]) for cell in source) == len(exercises("00"))
    answers = [cell for cell in read_cells(LAB.path) if ANSWER in cell.tags]
    assert answers
    assert len(source) == len(read_cells(LAB.path)) - len(answers)


def test_nbgrader_cuts_the_solutions_and_leaves_the_rest(classroom):
    cut = cells(classroom / "release" / LAB.name / f"{LAB.name}.ipynb")
    ours = cells(ROOT / "labs" / f"{LAB.name}.ipynb")
    secrets = solution_secrets(LAB.path, read_cells(LAB.path))
    assert len(secrets) > 5
    for theirs, own in zip(cut, ours, strict=True):
        text, wanted = join(theirs["source"]), join(own["source"])
        if exercise := own["metadata"].get("exercise"):
            assert text == wanted.replace(f'raise NotImplementedError("Exercise {exercise}")', STUB)
            assert text != wanted
            assert not find_leaks(secrets, text)
        else:
            assert text == wanted
        assert not theirs.get("outputs")


def test_what_nbgrader_hands_out_is_not_attempted(classroom):
    namespace = {}
    for cell in cells(classroom / "release" / LAB.name / f"{LAB.name}.ipynb"):
        if "imports" in cell["metadata"].get("tags", ()) or cell["metadata"].get("exercise"):
            exec(join(cell["source"]), namespace)
    for exercise, name in [("0.1", "to_grey"), ("0.2", "stretch"), ("0.4", "detect")]:
        with pytest.raises(NotImplementedError):
            namespace[name](*[None] * namespace[name].__code__.co_argcount)
        found = exercises("00")[exercise]
        assert found.examine(namespace[name], found.default_rng())[1] is None


def test_checks_are_graded_cells_worth_the_exercises_points(classroom):
    worth, answers = {}, []
    for cell in cells(classroom / "release" / LAB.name / f"{LAB.name}.ipynb"):
        data = cell["metadata"].get("nbgrader", {})
        if data.get("grade"):
            assert data["locked"] and not data["solution"]
            worth[join(cell["source"]).split('"')[1]] = data["points"]
        if data.get("solution"):
            assert not data["locked"]
            answers.append(cell["metadata"]["exercise"])
    assert worth == {name: exercise.points for name, exercise in exercises("00").items()}
    assert answers == list(worth)


@pytest.mark.slow
def test_nbgrader_gives_the_points_of_the_checks(classroom, monkeypatch):
    """One exercise right, one with a mistake that costs a point, three open."""
    from nbgrader.api import Gradebook

    folder = classroom / "submitted" / "ada" / LAB.name
    shutil.copytree(classroom / "release" / LAB.name, folder)
    path = folder / f"{LAB.name}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    written = {
        "0.1": "return picture.mean(axis=-1) / 255",
        "0.2": "return np.abs(np.arcsinh(grey / softening)) / np.arcsinh(1 / softening)",
    }
    for cell in notebook["cells"]:
        if (exercise := cell["metadata"].get("exercise")) in written:
            cell["source"] = join(cell["source"]).replace(STUB, written[exercise])
    path.write_text(json.dumps(notebook), encoding="utf-8")
    nbgrader(classroom, "autograde")
    with Gradebook(f"sqlite:///{classroom / 'gradebook.db'}") as book:
        submission = book.find_submission(LAB.name, "ada")
        scores = {grade.name: grade.score for grade in submission.notebooks[0].grades}
        assert submission.max_score == sum(exercise.points for exercise in exercises("00").values())
    assert scores == {"check-0-1": 4, "check-0-2": 4, "check-0-3": 0, "check-0-4": 0, "check-0-5": 0}
    (said,) = [c for c in cells(classroom / "autograded" / "ada" / LAB.name / path.name) if c["id"] == "check-0-2"]
    assert "You dropped the minus sign of negative pixels." in json.dumps(said["outputs"])
    assert not (classroom / ".progress.json").exists()  # what one student reached is not shown to the next


def open_exercise(picture):
    raise NotImplementedError("Exercise 0.1")


@pytest.mark.parametrize(
    ("answers", "points"),
    [
        ([lambda picture: picture.mean(axis=-1) / 255], 4),
        ([lambda picture: picture.sum(axis=-1) / 255], 1),
        ([open_exercise], 0),
        ([3.5], 0),
        ([abs, abs], 0),
    ],
)
def test_a_check_returns_its_points_to_nbgrader_alone(answers, points, monkeypatch, tmp_path):
    """What returns nothing has all its points at nbgrader: every way out of a check returns some."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    assert checks.check("0.1", *answers) is None
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert checks.check("0.1", *answers) == points


def test_a_reference_earns_nothing_at_nbgrader(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert checks.check("0.1", checks.reference("0.1")) == 0


def test_nbgrader_needs_judges_and_exercises(tmp_path):
    with pytest.raises(CourseError, match="nbgrader takes the points from the judges"):
        release(load_course(), tmp_path / "copy", nbgrader=True, judges=False, say=str)
    with pytest.raises(CourseError, match=r"lab03\.py has no exercise 3\.1"):
        release(make_course(tmp_path / "course"), tmp_path / "copy", nbgrader=True, say=str)
    assert not (tmp_path / "copy").exists()
