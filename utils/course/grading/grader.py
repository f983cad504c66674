"""One submission: its answers in the instructor's notebook, run in isolation, judged outside, exercise by exercise.

A wrong exercise does not sink the later ones: once it is judged, its reference takes its place. Nor does one that ends
the kernel: the exercises that have no verdict yet are then run one by one, each in a kernel of its own in which
references stand for all others, so that whoever did it is the only one to pay.
"""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from utils.course.grading.compose import compose
from utils.course.grading.isolation import Isolation, Limits
from utils.course.grading.judging import LONGEST, Judge
from utils.course.grading.kernels import PRELOAD, Launcher
from utils.course.grading.mailbox import Mailbox
from utils.course.grading.plan import make_plan
from utils.course.grading.reading import Unreadable, read_notebook
from utils.course.grading.session import Sessions
from utils.course.layout import load_course
from utils.course.release import make_copy

SCHEMA = 1
STAND_IN_SECONDS = 60.0
OUTPUT_TEXT = 2000  # characters kept of a cell's outputs


@dataclass(frozen=True)
class Setup:
    """How a class is graded; plain data, to be sent to workers.

    Parameters
    ----------
    lab : str
        Two digits.
    root : pathlib.Path
        Of the instructor's course.
    seed : int
        Secret: the cases follow from it.
    isolation : str
        One of :data:`~utils.course.grading.isolation.LEVELS`.
    skip_training : bool
        Run only the cells that the checks need.
    fork : bool
        Fork kernels and runs from processes that have imported Keras and nbval.
    memory : float
        Bytes that a submission may use.
    least_seconds : float
        What a cell may take at least, however quick the solution is.
    cell_seconds : dict
        Id of a cell -> its budget; `least_seconds` for others.
    submission_seconds : float
        For all runs of one submission together.
    cache : pathlib.Path or None
        Of data sets, to be read by the kernels.
    threads : int or None
        For the numerical libraries of a kernel.
    """

    lab: str
    root: Path
    seed: int
    isolation: str
    skip_training: bool = False
    fork: bool = True
    memory: float = 4e9
    least_seconds: float = 30.0
    cell_seconds: dict = field(default_factory=dict)
    submission_seconds: float = 900.0
    cache: Path | None = None
    threads: int | None = None


class Grader:
    """Grades one submission after the other; a context manager.

    Parameters
    ----------
    setup : Setup
    """

    def __init__(self, setup):
        self.setup = setup
        self.plan = make_plan(setup.root, setup.lab)
        self._folder = tempfile.TemporaryDirectory(prefix="course-")
        copy = Path(self._folder.name) / "course"
        make_copy(load_course(setup.root), copy, [setup.lab], judges=False)
        self.launcher = Launcher(
            copy,
            Isolation(setup.isolation, ""),
            Limits(memory=setup.memory),
            fork=setup.fork,
            preload=(*PRELOAD, *self.plan.modules),
            cache=setup.cache,
            threads=setup.threads,
        )
        self.sessions = Sessions(fork=self.launcher.forking)
        self.judge = Judge(setup.lab, setup.seed)  # imports the checks, and Keras, while the fork servers do so too

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End all processes and leave no file behind."""
        self.launcher.close()
        self.sessions.__exit__()
        self._folder.cleanup()

    def grade(self, data):
        """Grade one notebook.

        Parameters
        ----------
        data : bytes
            The student's file, whatever it holds.

        Returns
        -------
        dict
            What the gradebook, the feedback and the report are made of: ``schema``, ``lab``, ``status``, ``reason``,
            ``notes``, ``points``, ``max``, ``isolation``, ``kernel``, ``kernel_note``, ``seconds``, ``runs``,
            ``exercises``, ``cells``.
        """
        start = time.monotonic()
        try:
            answers = {answer.exercise: answer for answer in compose(self.plan.truth, read_notebook(data))}
        except Unreadable as problem:
            return self._result("unreadable", str(problem), start)
        return self.grade_answers(answers, start)

    def grade_answers(self, answers, start=None):
        """Grade answers that have been found already: exercise id -> Answer."""
        start = start or time.monotonic()
        work = _Work(self, answers, start + self.setup.submission_seconds)
        status, reason = work.grade()
        return self._result(status, reason, start, work)

    def _result(self, status, reason, start, work=None):
        exercises = work.exercises() if work else []
        return {
            "schema": SCHEMA,
            "lab": self.setup.lab,
            "status": status,
            "reason": reason,
            "notes": [],
            "points": sum(exercise["points"] for exercise in exercises),
            "max": sum(
                points for exercise in self.judge.exercises.values() for _, points, _ in exercise.subtests(hidden=True)
            ),
            "isolation": self.setup.isolation,
            "kernel": "forked" if self.launcher.forking else "normal",
            "kernel_note": self.launcher.note,
            "seconds": round(time.monotonic() - start, 2),
            "runs": work.runs if work else 0,
            "exercises": exercises,
            "cells": work.cells() if work else [],
        }


class _Work:
    """A submission while it is graded; leads the runs of its notebook."""

    def __init__(self, grader, answers, deadline):
        self.grader, self.answers, self.deadline = grader, answers, deadline
        self.plan, self.judge, self.setup = grader.plan, grader.judge, grader.setup
        self.steps = {step.id: step for step in self.plan.steps}
        self.judged, self.reports, self.checked, self.runs = {}, {}, set(), 0
        self.doubtful = set()  # exercises that another one may have kept from being judged
        self.only = self.mailbox = None

    def grade(self):
        """Run and judge; (status, reason)."""
        for exercise, answer in self.answers.items():
            if answer.source is None:
                self.judged[exercise] = self.judge.stopped(exercise, "no answer was found", "missing")
            elif answer.untouched:
                reason = "the exercise was left as it was handed out"
                self.judged[exercise] = self.judge.stopped(exercise, reason, "not attempted")
        gone = self._run()
        problem = self._infrastructure(gone) if gone else ""
        late = bool(gone and gone.late)
        for exercise in self.answers:
            if exercise in self.judged and exercise not in self.doubtful:
                continue
            before = self.judged.pop(exercise, None)
            if not (problem or late):
                self.only = exercise
                gone = self._run() or gone
                late = bool(gone and gone.late)
            if exercise not in self.judged:
                reason = problem or (gone.reason if late else f"the program {gone.reason}")
                self.judged[exercise] = before or self.judge.stopped(exercise, reason)
        return ("failed", problem) if problem else ("graded", "")

    def _infrastructure(self, gone):
        """What is wrong where a run ended before an answer was reached: that is not the student's doing."""
        answers = [step.id for step in self.plan.steps if step.role == "answer"]
        if gone.cell in answers or any(answer in self.reports for answer in answers):
            return ""
        return f"no answer was reached: {gone.reason}"

    def _run(self):
        """One run in a kernel of its own; a Gone where it did not reach its end."""
        self.runs += 1
        kernel = self.grader.launcher.start()
        self.mailbox = Mailbox(kernel.scratch / "exchange")
        try:
            return self.grader.sessions.run(self._cells(), kernel, self, self.deadline)
        finally:
            self.mailbox.close()
            kernel.stop()

    def _cells(self):
        """(id, source) of what this run consists of."""
        cells = []
        for step in self.plan.steps:
            if (self.setup.skip_training or self.only) and step.id not in self.plan.needed:
                continue
            source = step.source
            if step.role == "answer" and self.answers[step.exercise].source is not None:
                source = self.answers[step.exercise].source
            cells.append((step.id, source))
            if self.only and step.role == "check" and step.exercise == self.only:
                break
        return cells

    def before(self, cell):
        """Whether to run a cell, and how long; lays out the cases of a check."""
        step = self.steps[cell]
        run = True
        if step.role == "answer":
            run = not self._replaced(step.exercise)
        elif step.role == "check":
            run = step.exercise not in self.judged and self.only in (None, step.exercise)
            if run:
                try:
                    self.mailbox.put(self.judge.cases(step.exercise))
                except OSError:
                    pass  # the student's code has made that impossible: nothing will be handed over
        return {"run": run, "seconds": self.setup.cell_seconds.get(cell, self.setup.least_seconds)}

    def after(self, cell, report):
        """Judge a check that has been run; what is to be run behind the cell."""
        step, inject = self.steps[cell], False
        if report["state"] != "skipped" or cell not in self.reports:
            self.reports[cell] = report
        if step.role == "answer":
            inject = self._replaced(step.exercise)
        elif step.role == "check" and report["state"] != "skipped":
            self.judged[step.exercise] = self._verdict(step.exercise, report)
            self.checked.add(step.exercise)
            inject = self.judged[step.exercise]["state"] != "correct"
        return {"inject": self.plan.stand_ins[step.exercise] if inject else None, "seconds": STAND_IN_SECONDS}

    def _replaced(self, exercise):
        """Whether the reference stands for the answer from the start of this run."""
        if self.only:
            return exercise != self.only
        return exercise in self.judged

    def _verdict(self, exercise, report):
        """What an exercise gets, once its check has been run."""
        own = next(step.id for step in self.plan.steps if step.role == "answer" and step.exercise == exercise)
        seconds = self.setup.cell_seconds.get(own, self.setup.least_seconds)
        for cell, what in ((self.reports.get(own), "the cell of the answer"), (report, "the check of the answer")):
            if report["state"] == "ok" or cell is None or cell["state"] == "ok":
                continue
            if cell["state"] == "timeout":
                if self.checked:  # slowed, perhaps, by what an earlier answer has left running
                    self.doubtful.add(exercise)
                return self.judge.stopped(exercise, f"{what} ran for more than {seconds:.0f} seconds")
            if cell is report:
                self.doubtful.add(exercise)
            return self.judge.stopped(exercise, f"{what} ended with an error: {_last_line(cell['error'])}")
        try:
            verdict = self.judge.judge(exercise, self.mailbox.take())
        except ValueError as error:
            verdict = self.judge.stopped(exercise, str(error))
        if verdict["state"] == "stopped":
            self.doubtful.add(exercise)
        return verdict

    def exercises(self):
        """The exercises' part of the result."""
        found = []
        for id_, exercise in self.judge.exercises.items():
            answer, part = self.answers[id_], self.judged[id_]
            found.append(
                {"id": id_, "title": exercise.title, **part, "matched": answer.how, "note": answer.note}
                | {"source": answer.source or "", "stood_in": part["state"] != "correct"}
            )
        return found

    def cells(self):
        """The cells' part of the result."""
        found = []
        for step in self.plan.steps:
            if self.setup.skip_training and step.id not in self.plan.needed:
                continue
            report = self.reports.get(step.id)
            if report is None:
                report = {"state": "not reached", "seconds": 0.0, "error": "", "outputs": []}
            error, outputs = report["error"][-LONGEST:], _shortened(report["outputs"])
            found.append({"id": step.id, "exercise": step.exercise, **report, "error": error, "outputs": outputs})
        return found


def _last_line(error):
    return next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "")[:300]


def _shortened(outputs):
    """Outputs with so much text in all."""
    room, kept = OUTPUT_TEXT, []
    for output in outputs:
        data = output.get("data", {})
        text = output["text"] if output["output_type"] == "stream" else data.get("text/plain")
        if text is not None:
            if room <= 0:
                continue
            text, room = text[:room], room - len(text)
            output = output | ({"text": text} if "text" in output else {"data": data | {"text/plain": text}})
        kept.append(output)
    return kept
