"""Grading refuses to start unless the solution gets everything, the untouched lab nothing, and two runs agree."""

import json
import os
from dataclasses import dataclass, replace

import pytest

from tests.grading_fakes import FakeSetup, result
from utils.course.errors import CourseError
from utils.course.grading import calibrate as calibrating
from utils.course.grading import version, workers
from utils.course.grading.calibrate import calibrate, calibrated, kept_calibrations
from utils.course.grading.results import Results
from utils.course.grading.workers import InProcess, Job, Workers, grade_one

GRADER = "tests.test_grading_calibrate:Scripted"


@dataclass
class Scripted:
    """A Grader whose setup says how it misbehaves."""

    setup: FakeSetup

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self.setup.log / "closed").touch()

    def grade(self, data):
        name, how = json.loads(data)["name"], self.setup.behaviour
        runs = len(list(self.setup.log.glob(f"{name}*")))
        (self.setup.log / f"{name} {runs} {'fork' if self.setup.fork else 'normal'}").touch()
        kernel = "forked" if self.setup.fork and how != "no fork server" else "normal"
        if name == "untouched":
            return result(1 if how == "gives points away" else 0, state="not attempted", kernel=kernel)
        if how == "raises":
            raise ZeroDivisionError("in the judge")
        if how == "killed":
            os.kill(os.getpid(), 9)
        if how == "unreadable":
            return result(0, status="unreadable") | {"reason": "the file is empty"}
        wrong = (
            how == "solution is wrong"
            or (how == "fork disagrees" and kernel == "forked")
            or (how == "second disagrees" and runs == 1)
            or (how == "only the first agrees" and runs > 0)
        )
        seconds = 8.0 if runs else 2.0
        answer = result(3 if wrong else 5, seconds, message="expected 42, got 41" if wrong else "", kernel=kernel)
        if how == "no fork server":
            answer["kernel_note"] = "the reason, as the launcher tells it"
        if wrong:
            answer["cells"][0] |= {"state": "error", "error": "NameError: x"}
        return answer


@pytest.fixture
def setup(tmp_path):
    for folder in ("solutions", "labs"):
        (tmp_path / "course" / folder).mkdir(parents=True)
        notebook = {"name": folder.replace("labs", "untouched"), "cells": [{"cell_type": "code", "id": "exercise-3-1"}]}
        (tmp_path / "course" / folder / "03_cnn.ipynb").write_text(json.dumps(notebook))
    (tmp_path / "log").mkdir()
    return FakeSetup("03", tmp_path / "course", tmp_path / "log")


def runs(setup):
    return sorted(path.name for path in setup.log.iterdir() if path.name != "closed")


def results_in(folder, setup):
    return Results(folder, "03", setup.seed, {}, version.course_version(setup.root, "03"), version.packages())


# What is demanded


def test_a_sound_lab_is_graded_with_forked_kernels(setup):
    found = calibrate(setup, GRADER)
    assert found.fork
    assert runs(setup) == ["solutions 0 normal", "solutions 1 fork", "untouched 0 fork"]
    assert (setup.log / "closed").exists()


def test_budgets_follow_from_the_slower_run(setup):
    found = calibrate(setup, GRADER)
    applied = found.apply(setup)
    assert applied.cell_seconds == {"exercise-3-1": 80.0}
    assert applied.submission_seconds == 10 * 8 + 1 * (30 + 8)
    assert applied.fork


def test_a_quick_cell_has_the_least_budget(setup, monkeypatch):
    monkeypatch.setattr(calibrating, "TIMES", 2)
    assert calibrate(setup, GRADER).cell_seconds == {"exercise-3-1": 30.0}


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("solution is wrong", r"(?s)exercise 3.1, “it doubles”: expected 42, got 41.*exercise-3-1: error NameError: x"),
        ("gives points away", "exercise 3.1, “it doubles”: passed without an answer"),
        ("unreadable", "the solution is not graded .unreadable.: the file is empty"),
        (
            "only the first agrees",
            r"three runs .* do not agree: exercise 3.1, “it doubles” gets 5 points once, 3 ",
        ),
        ("raises", r"(?s)stops with an error at the course's own notebooks.*in the judge"),
    ],
)
def test_what_is_at_fault_is_named(setup, behaviour, message):
    with pytest.raises(CourseError, match=message):
        calibrate(replace(setup, behaviour=behaviour), GRADER)


@pytest.mark.parametrize("behaviour", ["fork disagrees", "second disagrees"])
def test_where_the_fork_server_disagrees_kernels_are_normal(setup, behaviour):
    found = calibrate(replace(setup, behaviour=behaviour), GRADER)
    assert not found.fork
    assert "not forked, as that changes what the solution gets: exercise 3.1" in found.note
    assert "expected 42, got 41" in found.note
    assert runs(setup)[1:3] == ["solutions 1 fork", "solutions 2 normal"]
    assert runs(setup)[-1].endswith("normal")


@pytest.mark.parametrize(
    ("change", "note"),
    [({"fork": False}, "asked for"), ({"behaviour": "no fork server"}, "the reason, as the launcher tells it")],
)
def test_without_a_fork_server_two_normal_runs_agree(setup, change, note):
    found = calibrate(replace(setup, **change), GRADER)
    assert not found.fork and note in found.note
    assert len(runs(setup)) == 3


def test_without_a_fork_server_two_runs_that_differ_are_refused(setup):
    with pytest.raises(CourseError, match="two runs of the solution do not agree: exercise 3"):
        calibrate(replace(setup, fork=False, behaviour="second disagrees"), GRADER)


def test_the_digest_hangs_on_versions_and_not_on_speed(setup, monkeypatch):
    first = calibrate(setup, GRADER).digest
    monkeypatch.setattr(calibrating, "TIMES", 3)
    assert calibrate(setup, GRADER).digest == first
    monkeypatch.setattr(version, "packages", lambda: {"numpy": "0.1"})
    assert calibrate(setup, GRADER).digest != first


# What is kept


def test_a_calibration_is_used_again_while_nothing_changes(setup, tmp_path):
    said = []
    results = results_in(tmp_path / "grades", setup)
    first = calibrated(setup, results, InProcess(), GRADER, say=said.append)
    assert calibrated(setup, results, InProcess(), GRADER, say=said.append) == first
    assert len(runs(setup)) == 3
    assert len(said) == 2 and said[1].startswith("calibrated: the solution takes 8 s; kernels are forked")
    calibrated(setup, replace(results, seed=2), InProcess(), GRADER, say=said.append)
    assert len(runs(setup)) == 6


@pytest.mark.parametrize("damage", ["", "{}", '{"subject": 1}'])
def test_a_damaged_calibration_is_made_anew(setup, tmp_path, damage):
    results = results_in(tmp_path / "grades", setup)
    first = calibrated(setup, results, InProcess(), GRADER, say=str)
    (path,) = (tmp_path / "grades" / "calibration").glob("*.json")
    path.write_text(damage)
    assert calibrated(setup, results, InProcess(), GRADER, say=str).digest == first.digest
    assert len(runs(setup)) == 6


def test_a_refusal_is_not_kept(setup, tmp_path):
    results = results_in(tmp_path / "grades", setup)
    with pytest.raises(CourseError, match="passed without an answer"):
        calibrated(replace(setup, behaviour="gives points away"), results, InProcess(), GRADER, say=str)
    assert not list((tmp_path / "grades").rglob("*.json"))


def test_it_can_be_made_in_a_worker_whose_end_is_told(setup, tmp_path):
    results = results_in(tmp_path / "grades", setup)
    with Workers(1) as executor:
        with pytest.raises(CourseError, match="calibrated was killed"):
            calibrated(replace(setup, behaviour="killed"), results, executor, GRADER, say=str)
        with pytest.raises(CourseError, match="passed without an answer"):
            calibrated(replace(setup, behaviour="gives points away"), results, executor, GRADER, say=str)


# Other machines


def shift(path, **change):
    """Make a kept calibration that of another machine."""
    kept = json.loads(path.read_text())
    kept["host"], kept["calibration"] = "node7", kept["calibration"] | change
    path.with_name("0123.json").write_text(json.dumps(kept))


def test_a_shard_whose_machine_disagrees_is_refused(setup, tmp_path):
    results = results_in(tmp_path / "grades", setup)
    calibrated(setup, results, InProcess(), GRADER, say=str)
    (path,) = kept_calibrations(results)
    shift(path)
    calibrated(setup, results, InProcess(), GRADER, shard=True, say=str)  # the same outcome
    shift(path, digest="another", packages=version.packages() | {"numpy": "0.9"})
    calibrated(setup, results, InProcess(), GRADER, say=str)  # alone, nobody has to agree
    with pytest.raises(CourseError, match=r"differs from that of node7: numpy 0\.9 there.*delete .*0123\.json"):
        calibrated(setup, results, InProcess(), GRADER, shard=True, say=str)


def job_from_elsewhere(setup, digest):
    return Job(setup, GRADER, version.course_version(setup.root, "03"), "another machine", digest)


def test_a_worker_elsewhere_calibrates_once_and_grades_by_what_it_found(setup):
    digest = calibrate(setup, GRADER).digest
    before = len(runs(setup))
    job = job_from_elsewhere(replace(setup, submission_seconds=1.0), digest)
    for _ in range(2):
        assert grade_one(job, "ada", b'{"name": "ada"}')["result"]["student"] == "ada"
    assert len(runs(setup)) == before + 3 + 2
    assert workers._open[1].setup.submission_seconds > 100
    workers.close_grader()


def test_a_worker_elsewhere_that_disagrees_refuses_every_task(setup):
    job = job_from_elsewhere(setup, "what came out elsewhere")
    for student in ("ada", "ben"):
        outcome = grade_one(job, student, b'{"name": "ada"}')
        assert "are its packages the same?" in outcome["refused"]
        assert str(os.getpid()) in outcome["worker"]
    assert len(runs(setup)) == 3  # calibrated once


def test_a_worker_whose_calibration_fails_refuses(setup):
    job = job_from_elsewhere(replace(setup, behaviour="gives points away"), "x")
    assert "passed without an answer" in grade_one(job, "ada", b"{}")["refused"]


def test_a_cluster_worker_that_was_started_before_the_course_changed_refuses(setup, monkeypatch):
    monkeypatch.setattr(workers, "_address", lambda: "tcp://node7:1234")
    monkeypatch.setattr(workers, "_files", lambda: workers._loaded)
    job = job_from_elsewhere(setup, "")
    assert "result" in grade_one(job, "ada", b'{"name": "ada"}')
    workers.close_grader()
    monkeypatch.setattr(workers, "_files", lambda: "changed since the worker was started")
    outcome = grade_one(job, "ada", b'{"name": "ada"}')
    assert "restart it" in outcome["refused"]
    assert outcome["worker"] == "tcp://node7:1234"
