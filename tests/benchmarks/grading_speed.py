"""Seconds for each submission: this course's grader beside nbgrader's autograde, on the same class in one run.

Run with ``python -m tests.benchmarks.grading_speed [--labs 01 03] [--students 20] [--full]`` from the repository, where
nbgrader is installed. Both run the same cells: what the checks need, or with ``--full`` the whole lab. nbgrader grades
one student after the other, as it can do no other; this course's grader with one and with two jobs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.corpus.points import wrong_sources
from utils.course.grading.plan import make_plan
from utils.course.layout import load_course
from utils.course.notebook import join, split
from utils.course.release import release
from utils.course.source import select_labs
from utils.files import ROOT


def make_class(lab, students):
    """Student -> exercise -> source: all right but for one exercise each, in turn, wrong or left open."""
    plan, wrong = make_plan(ROOT, lab), wrong_sources(lab)
    people, exercises = {}, list(plan.solutions)
    for number in range(students):
        spoilt = exercises[number % len(exercises)]
        answer = (wrong.get(spoilt) or [plan.stubs[spoilt]])[0]
        people[f"student{number:02d}"] = plan.solutions | {spoilt: answer}
    return people


def filled(path, sources, kept=None):
    """The notebook `path` with answers in it, and of its code only the cells in `kept`."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if kept is None or cell["cell_type"] != "code" or cell["id"] in kept]
    for cell in cells:
        if exercise := cell["metadata"].get("exercise"):
            cell["source"] = split(sources[exercise])
    return json.dumps(notebook | {"cells": cells})


def timed(command, folder):
    """Seconds that a command takes; what it says where it fails."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    start = time.perf_counter()
    run = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": places}, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    return time.perf_counter() - start


def our_seconds(folder, lab, people, full, jobs):
    """(seconds for the first, calibration included; seconds for each of the others)."""
    source, grades = folder / "class", folder / f"grades{jobs}"
    name = f"{select_labs([lab])[0].name}.ipynb"
    for student, sources in people.items():
        (source / student).mkdir(parents=True, exist_ok=True)
        (source / student / name).write_text(filled(ROOT / "labs" / name, sources), encoding="utf-8")
    command = [sys.executable, "-m", "utils.course", "grade", source, "--lab", lab, "-o", grades, "-j", jobs]
    command = [*map(str, command), *([] if full else ["--skip-training"])]
    first = timed([*command, "--only", next(iter(people))], ROOT)
    return first, timed(command, ROOT) / (len(people) - 1)


def nbgrader_seconds(folder, lab, people, full):
    """Seconds for each student of ``nbgrader autograde``, without making the assignment."""
    (found,) = select_labs([lab])
    course, name, kept = folder / "nbgrader", found.name, None if full else make_plan(ROOT, lab).needed
    release(load_course(), course, labs=[lab], nbgrader=True, say=str)
    path = course / "source" / name / f"{name}.ipynb"
    solutions = {c["metadata"]["exercise"]: join(c["source"]) for c in _cells(path) if "exercise" in c["metadata"]}
    path.write_text(filled(path, solutions, kept), encoding="utf-8")
    nbgrader = [sys.executable, "-m", "nbgrader"]
    timed([*nbgrader, "generate_assignment", name], course)
    for student, sources in people.items():
        handed_in = course / "submitted" / student / name
        handed_in.mkdir(parents=True)
        text = filled(course / "release" / name / f"{name}.ipynb", sources)
        (handed_in / f"{name}.ipynb").write_text(text, encoding="utf-8")
    return timed([*nbgrader, "autograde", name], course) / len(people)


def _cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labs", nargs="+", default=["01", "03"], metavar="NN")
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--full", action="store_true", help="the whole lab, training included")
    options = parser.parse_args()
    print("| lab | cells | grader | seconds for each submission | of nbgrader's |\n|---|---|---|---|---|")
    for lab in options.labs:
        people, cells = make_class(lab, options.students), "all" if options.full else "what the checks need"
        with tempfile.TemporaryDirectory() as folder:
            theirs = nbgrader_seconds(Path(folder), lab, people, options.full)
            print(f"| {lab} | {cells} | nbgrader autograde | {theirs:.2f} | 1 |", flush=True)
            for jobs in (1, 2):
                first, ours = our_seconds(Path(folder), lab, people, options.full, jobs)
                print(f"| {lab} | {cells} | grade -j {jobs} | {ours:.2f} | 1/{theirs / ours:.1f} |", flush=True)
                print(f"  the first submission, calibration included, took {first:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
