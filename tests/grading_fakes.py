"""A Grader that does what the submission tells it to: for the tests of what grades a class.

A submission is JSON, such as ``{"points": 3, "sleep": 0.5}``; see :meth:`FakeGrader.grade`.
"""

import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from utils.course.errors import CourseError
from utils.course.grading.submissions import Submission

GRADER = "tests.grading_fakes:FakeGrader"
MOST = 5  # points


@dataclass(frozen=True)
class FakeSetup:
    """As the real one, as far as it matters here. `log`: a folder in which each call leaves a file."""

    lab: str
    root: Path
    log: Path
    seed: int = 1
    fork: bool = True
    isolation: str = "none"
    least_seconds: float = 30.0
    cell_seconds: dict = field(default_factory=dict)
    submission_seconds: float = 60.0
    behaviour: str = ""  # of the Grader, for calibration


class FakeGrader:
    """Follows orders."""

    def __init__(self, setup):
        if setup.behaviour == "cannot start":
            raise CourseError("there is no sandbox on this machine")
        self.setup = setup
        self.runs = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self.setup.log / f"closed-{os.getpid()}").touch()

    def grade(self, data):
        """Grade by order: `sleep` seconds, `die` (times, by SIGKILL), `raise`, `kill` the process of that id."""
        orders = json.loads(data)
        name = orders.get("name", "x")
        calls = len(list(self.setup.log.glob(f"{name}.*")))
        (self.setup.log / f"{name}.{calls}.{os.getpid()}").touch()
        time.sleep(orders.get("sleep", 0))
        if calls < orders.get("die", 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if calls < orders.get("raise", 0):
            raise OSError("no space left on the device")
        if calls < orders.get("mend", 0):
            raise CourseError("the fork server has ended")
        return result(orders.get("points", MOST), seconds=orders.get("sleep", 0.0))


class Skimmer:
    """Stands in for the Grader of a real lab: all points for a notebook without an open exercise, else none."""

    def __init__(self, setup):
        self.setup = setup

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def grade(self, data):
        """Counts its calls, but those for the course's own notebooks, in the folder that COURSE_TEST_LOG names."""
        text = data.decode()
        if "# of " in text:
            name = text.split("# of ")[1].split(" ")[0]
            folder = Path(os.environ["COURSE_TEST_LOG"])
            (folder / f"{name}.{len(list(folder.glob(f'{name}.*')))}").touch()
            time.sleep(float(os.environ.get("COURSE_TEST_SLEEP", "0")))
        elif os.environ.get("COURSE_TEST_FAULT"):
            return result(1)
        return result(0 if 'raise NotImplementedError(\\"Exercise' in text else MOST)


def describe(setup):
    """What outputs have to know of the Skimmer's lab."""
    return describe_lab(setup.root, setup.lab)


def describe_lab(root, number):
    test = {"name": "it doubles", "max": MOST, "hidden": False}
    exercises = [{"id": "3.1", "title": "Doubling", "max": MOST, "subtests": [test]}]
    nothing = {"imports": "", "solutions": {}, "stubs": {}, "forbidden": {}}
    return {"lab": number, "title": "Lab 00", "exercises": exercises} | nothing


def result(points, seconds=0.1, most=MOST, state="correct", message="", kernel="normal", status="graded"):
    """A Result with one exercise of one sub-test."""
    test = {"name": "it doubles", "passed": points == most, "points": points, "max": most, "message": message}
    exercise = {"id": "3.1", "title": "Doubling", "state": state, "reason": "", "points": points, "max": most}
    exercise |= {"matched": "marker", "source": "", "stood_in": False, "printed": "", "subtests": [test]}
    cell = {"id": "exercise-3-1", "exercise": "3.1", "state": "ok", "seconds": seconds, "error": "", "outputs": []}
    facts = {"schema": 1, "lab": "03", "status": status, "reason": "", "notes": [], "points": points, "max": most}
    facts |= {"isolation": "none", "kernel": kernel, "seconds": seconds, "runs": 1, "flags": []}
    return facts | {"exercises": [exercise], "cells": [cell]}


def submission(student, problem="", **orders):
    """A submission that tells the FakeGrader what to do."""
    data = None if problem else json.dumps({"name": student} | orders).encode()
    return Submission(student, "", f"{student}.ipynb" if data else "", data, problem=problem)


def calls(log, student):
    """How often the FakeGrader was called for a student."""
    return len(list(log.glob(f"{student}.*")))
