"""Results kept by content, and marks of what was under way when the grader was killed.

A grade is a pure function of what :class:`Results` puts into a result's key: who sent it, its bytes, the lab, the
secret seed, how it is graded, and the version of the course and its packages. What has a result is not graded again;
what of these changes gives another key.
"""

import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from utils.files import write_text

SCHEMA = 1
MOST_ATTEMPTS = 2  # how often a submission may have been under way when the grader was killed


@dataclass(frozen=True)
class Results:
    """The results of one lab, graded in one way.

    Parameters
    ----------
    folder : pathlib.Path
        ``GRADES``; the results are files in its sub-folder ``results``.
    lab : str
    seed : int
        The secret seed; only a fingerprint of it is written to the files.
    mode : dict
        How it is graded, as plain data: what of the command's options changes a grade.
    course : str
        See :func:`~utils.course.grading.version.course_version`.
    packages : dict
        See :func:`~utils.course.grading.version.packages`.
    say : callable
        Told about files that are damaged.
    """

    folder: Path
    lab: str
    seed: int
    mode: dict
    course: str
    packages: dict
    say: object = field(default=print, repr=False)

    def inputs(self, submission):
        """What a result is a function of but for the version, as plain data."""
        data = hashlib.sha256(submission.data or b"").hexdigest()
        return {"student": submission.student, "data": data} | self._way()

    def _way(self):
        seed = hashlib.sha256(f"course-seed-{self.seed}".encode()).hexdigest()
        return {"lab": self.lab, "seed": seed, "mode": self.mode}

    def subject(self):
        """What a calibration is made for, whatever the machine and its packages."""
        return {"course": self.course} | self._way()

    def key(self, submission):
        """Name of the result's file without its ending: the student, and a fingerprint of everything."""
        everything = [SCHEMA, self.inputs(submission), self.course, self.packages]
        fingerprint = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
        return f"{submission.student}-{fingerprint[:32]}"

    def path(self, submission):
        return self.folder / "results" / f"{self.key(submission)}.json"

    def load(self, submission):
        """What was kept of this submission, ``{"result": …, "final": …}``; None where there is nothing.

        A damaged file is as good as none, and is told about.
        """
        kept = self._read(self.path(submission))
        if kept is not None and kept.get("key") != self.key(submission):
            self._damaged(self.path(submission), "it belongs to another submission")
            return None
        return kept

    def save(self, submission, result, final=True):
        """Keep a result.

        Parameters
        ----------
        submission : Submission
        result : dict
        final : bool
            False where the next run shall try once more, as the reason may not lie in the submission.
        """
        kept = {"key": self.key(submission), "inputs": self.inputs(submission), "course": self.course}
        kept |= {"packages": self.packages, "final": final, "result": result}
        write_text(self.path(submission), json.dumps(kept) + "\n")

    def others(self, submission):
        """What was kept of this submission under another version of the course or its packages: list of dict."""
        pattern = f"{_plain(submission.student)}-{'[0-9a-f]' * 32}.json"
        found = [self._read(path) for path in sorted((self.folder / "results").glob(pattern))]
        wanted = json.loads(json.dumps(self.inputs(submission)))
        return [kept for kept in found if kept and kept.get("inputs") == wanted and kept["key"] != self.key(submission)]

    def _read(self, path):
        try:
            kept = json.loads(path.read_bytes())
            if kept["result"]["schema"] != SCHEMA or not isinstance(kept["final"], bool):
                raise ValueError("its form is unknown")
            return kept
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            self._damaged(path, error)
            return None

    def _damaged(self, path, why):
        self.say(f"results/{path.name} is damaged ({why}): it is made anew")

    # Attempts: a mark stands for a submission that is being graded. Marks that are found at the start are of a grader
    # that was killed.

    def _mark(self, submission):
        return self.folder / "attempts" / self.key(submission)

    def attempts(self, submission):
        """How often the grader was killed while it graded this submission."""
        try:
            return len(self._mark(submission).read_bytes())
        except OSError:
            return 0

    def begin(self, submission):
        """Note that the grading of a submission begins."""
        path = self._mark(submission)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(b".")

    def forget(self, submission):
        """The submission is done."""
        self._mark(submission).unlink(missing_ok=True)

    def withdraw(self, submission):
        """The grading of a submission was ended in an orderly way: it does not count as an attempt."""
        left = self.attempts(submission) - 1
        if left > 0:
            os.truncate(self._mark(submission), left)
        else:
            self.forget(submission)

    def tidy(self, older=3600):
        """Delete temporary files that a killed grader left, which nobody has written to for `older` seconds."""
        for path in (self.folder / "results").glob("*.part"):
            if time.time() - path.stat().st_mtime > older:
                path.unlink(missing_ok=True)


def _plain(text):
    """`text` for a pattern of file names, in which nothing but itself fits."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def blank(submission, lab, status, reason):
    """A result without points, of a submission that was not graded.

    Parameters
    ----------
    submission : Submission
    lab : str
    status : str
        ``"missing"``, ``"unreadable"`` or ``"failed"``.
    reason : str
        In words.
    """
    return {
        "schema": SCHEMA,
        "student": submission.student,
        "file": submission.file,
        "lab": lab,
        "status": status,
        "reason": reason,
        "notes": [],
        "points": 0,
        "max": 0,
        "isolation": "",
        "kernel": "",
        "seconds": 0.0,
        "runs": 0,
        "exercises": [],
        "cells": [],
    }


def identify(result, submission):
    """A kept result with what may change without a new grade: the file's name and the instructor's notes."""
    notes = [*submission.notes, *(note for note in result["notes"] if note not in submission.notes)]
    return result | {"student": submission.student, "file": submission.file, "notes": notes}
