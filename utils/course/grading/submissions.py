"""Find each student's notebook in what came back.

Understood are a folder for each student, files named by student, the downloads of Moodle and Canvas, a tree of
repositories from GitHub Classroom, and nbgrader's ``submitted/STUDENT/ASSIGNMENT``; as a folder or as a zip archive.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from utils.course.grading.compose import answer_cells, compose, defined_names
from utils.course.grading.owners import CANVAS, NOTEBOOK, sort_by_student
from utils.course.grading.reading import Unreadable, read_notebook
from utils.course.grading.received import File, receive
from utils.course.grading.roster import read_moment
from utils.course.notebook import join

_MOST_READ, _MOST_BYTES = 40, 100_000_000  # notebooks of one student that are looked into, and their bytes in all
_UPLOAD = re.compile(r"(?:-(\d{1,3})|\((\d{1,3})\))$")


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    Parameters
    ----------
    student : str
        The id used in gradebook and file names: safe as the name of a file, unique.
    name : str
        To be shown, from the roster or the learning platform; may be empty.
    file : str
        Where the notebook was, with slashes; empty where there is none of this lab.
    data : bytes or None
        The notebook; None where there is none, or it could not be read from the disk.
    submitted : datetime or None
        With its time zone, where it is known: a clone of a repository and Canvas' archive do not tell.
    problem : str
        Why there is nothing to grade, in words for the student; empty where all is well.
    notes : tuple of str
        For the instructor.
    """

    student: str
    name: str = ""
    file: str = ""
    data: bytes | None = None
    submitted: datetime | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()


def find_submissions(path, lab, truth, people=()):
    """One submission for each student, those of the roster who sent nothing included.

    Parameters
    ----------
    path : str or pathlib.Path
        A folder, a zip archive, or one notebook.
    lab : Lab
        Notebooks of other labs are passed over.
    truth : dict
        The lab's solution notebook.
    people : sequence of Person
        The roster.

    Returns
    -------
    list of Submission
        In order of the students' ids.

    Raises
    ------
    CourseError
        Where there is nothing at `path`. No student's file raises anything.
    """
    wanted = _Wanted(lab, truth)
    found = [_submission(bundle, wanted) for bundle in sort_by_student(receive(path), lab, people)]
    found = [submission for submission in found if submission]
    present = {submission.student for submission in found}
    for person in people:
        if person.student not in present:
            found.append(Submission(person.student, person.name, problem="nothing was handed in"))
    return sorted(found, key=lambda submission: submission.student)


class _Wanted:
    """What a notebook of this lab is like."""

    def __init__(self, lab, truth):
        self.lab, self.truth = lab, truth
        exercises = answer_cells(truth)
        names = {name for cell in exercises.values() for name in defined_names(join(cell["source"]))}
        signs = [*map(re.escape, exercises), *(re.escape(cell["id"]) for cell in exercises.values())]
        self._signs = re.compile(rf"\b(?:{'|'.join(signs)}|(?:def|class) +(?:{'|'.join(sorted(names))}))\b".encode())
        self._half = (len(exercises) + 1) // 2

    def may_be(self, data):
        """Whether the bytes can hold answers to this lab; what is in an encoding with zeros is looked into always."""
        return b"\0" in data[:200] or bool(self._signs.search(data))

    def count(self, cells):
        """How many of the exercises are there, and how many of them the student has touched; none in another lab's."""
        found = [answer for answer in compose(self.truth, cells) if answer.source is not None]
        if all(answer.how == "names" for answer in found) and len(found) < self._half:
            return 0, 0
        return len(found), sum(not answer.untouched for answer in found)

    def is_named(self, stem):
        """Whether the name of a file has the lab's name in it."""
        return self.lab.name in re.sub(r"[-\s]+", "_", stem).casefold()


@dataclass
class _Candidate:
    """A file that may be the student's notebook of this lab."""

    file: File
    named: bool  # after the lab
    script: bool
    upload: int  # 1, 2, … where the platform or the browser counts files of the same name
    data: bytes | None = None
    problem: str = ""
    found: int = 0  # exercises
    touched: int = 0
    notes: tuple = ()

    @property
    def order(self):
        """The largest is taken: work before an untouched hand-out, then the lab's name, then the newest."""
        moment = self.file.modified.timestamp() if self.file.modified else 0
        return self.touched > 0, self.named, self.upload, moment, self.file.path


def _submission(bundle, wanted):
    """The submission of a student; None where it turns out that the files are nobody's."""
    candidates = _candidates(bundle, wanted)
    mine = [candidate for candidate in candidates if candidate.found]
    named = [candidate for candidate in candidates if candidate.named]
    unread = [candidate for candidate in candidates if candidate.problem]
    chosen = max(mine or named or unread, key=lambda candidate: candidate.order, default=None)
    submission = Submission(bundle.student, bundle.shown, notes=tuple(bundle.notes))
    if chosen is None:
        if bundle.flat and not bundle.person and all(file.name.lower().endswith(".py") for file in bundle.files):
            return None
        return replace(submission, problem=_why_nothing(bundle, wanted))
    notes = list(bundle.notes)
    if chosen.found and not chosen.named and not bundle.flat:
        notes.append("renamed: recognised by its content")
    if chosen.named and not chosen.found and not chosen.problem:
        notes.append(f"it holds none of the exercises of lab {wanted.lab.number}: is it another lab's?")
    if len(mine) > 1:
        notes.append(f"{len(mine)} notebooks of this lab: {_why(chosen, mine)} is taken")
    problem = chosen.problem
    if problem and not chosen.named and not bundle.flat:
        problem = f"no notebook of this lab ({wanted.lab.name}.ipynb) could be read; {chosen.file.name}: {problem}"
    return replace(
        submission,
        file=chosen.file.path,
        data=chosen.data,
        submitted=_submitted(bundle, chosen.file),
        problem=problem,
        notes=(*notes, *chosen.notes),
    )


def _why(chosen, mine):
    """What makes the chosen notebook different from the others."""
    others = [candidate for candidate in mine if candidate is not chosen]
    if chosen.touched and not any(other.touched for other in others):
        return "the only one with answers"
    if chosen.named and not any(other.named for other in others if (other.touched > 0) == (chosen.touched > 0)):
        return "the one with the lab's name"
    return "the newest"


def _candidates(bundle, wanted):
    """The files that may be the notebook, looked into; scripts only where there is no notebook."""
    roots = {file.folders[:-1] for file in bundle.files if file.folders[-1:] in {("labs",), ("utils",)}}
    candidates = []
    for file in bundle.files:
        found = NOTEBOOK.fullmatch(file.name)
        handed_out = file.folders[-1:] == ("solutions",) and file.folders[:-1] in roots  # in a copy of the course
        if found and not handed_out:
            stem, script = found["stem"], found["ending"].lower() == ".py"
            counted = _UPLOAD.search(stem) if CANVAS.fullmatch(file.name) or stem.endswith(")") else None
            upload = int(counted[1] or counted[2]) if counted else 0
            candidates.append(_Candidate(file, wanted.is_named(stem) and not script, script, upload))
    looked_into, bytes_read = [], 0
    for candidate in sorted(candidates, key=lambda c: (c.script, not c.named, c.file.path))[:_MOST_READ]:
        if bytes_read > _MOST_BYTES or (candidate.script and any(other.found for other in looked_into)):
            break
        bytes_read += _look_into(candidate, wanted)
        if candidate.found or not candidate.script:
            looked_into.append(candidate)
    return looked_into


def _look_into(candidate, wanted):
    """Read a candidate and count the exercises in it; returns the bytes read."""
    try:
        data = candidate.file.read()
        if not candidate.named and not wanted.may_be(data):
            if not (data.lstrip().startswith(b"{") and data.rstrip().endswith(b"}")):
                read_notebook(data)  # for its words: this is no notebook, so it cannot be another lab's
            return len(data)
        candidate.data = data
        cells = read_notebook(data)
    except Unreadable as error:
        candidate.problem = str(error)
        return len(candidate.data or b"")
    candidate.found, candidate.touched = wanted.count(cells)
    candidate.notes = cells.notes
    return len(data)


def _why_nothing(bundle, wanted):
    """Why a student who sent something, or has a folder, has no notebook of this lab."""
    problems = [f"{file.name}: {file.problem}" for file in bundle.files if file.problem]
    names = [file.name for file in bundle.files]
    if not names:
        return "nothing was handed in"
    said = "; ".join(problems[:3]) or ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"no notebook of this lab ({wanted.lab.name}.ipynb) among what was handed in: {said}"


def _submitted(bundle, file):
    """When it was handed in, as far as that is known."""
    if bundle.person and bundle.person.submitted:
        return bundle.person.submitted
    for other in bundle.files:
        if other.name == "timestamp.txt" and other.folders == file.folders:  # nbgrader's
            try:
                text = other.read()[:100].decode("utf-8", "replace").strip()
            except Unreadable:
                break
            moment = read_moment(text)
            return moment.replace(tzinfo=UTC) if moment and re.fullmatch(r"[-\d]+ [:.\d]+", text) else moment
    return file.modified if bundle.timed else None
