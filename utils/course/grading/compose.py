"""The instructor's notebook with a student's answers in it; nothing else of the student's file is used.

An answer is found by what is surest: the first line ``# Exercise 1.2``, else the cell's metadata, else its id, else the
names that it defines.
"""

import ast
import builtins
import copy
import json
import re
import warnings
from dataclasses import dataclass, replace
from itertools import pairwise

from utils.course.errors import CourseError
from utils.course.grading.reading import Unreadable, read_notebook
from utils.course.grading.syntax import LONGEST, NotPython, parse
from utils.course.marks import BEGIN, cut
from utils.course.names import names_bound, names_read
from utils.course.notebook import dumps, join, split
from utils.course.source import Cell, select_labs
from utils.files import write_text

_MARKER = re.compile(r"#+[ \t]*exercise[ \t]*(\d+\.\d+)(?!\.?\d)", re.IGNORECASE)
_DEFINES = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)
SURENESS = ("marker", "metadata", "id", "names")


@dataclass(frozen=True)
class Answer:
    """A student's answer to an exercise.

    Parameters
    ----------
    exercise : str
        Such as ``"1.2"``.
    source : str or None
        The cell's text; None where there is none and the stub takes its place.
    how : str
        ``"marker"``, ``"metadata"``, ``"id"``, ``"names"`` or ``"missing"``.
    note : str
        What the instructor should know of how it was found; mostly empty.
    untouched : bool
        The student left the stub as it was, but for white space.
    """

    exercise: str
    source: str | None
    how: str
    note: str = ""
    untouched: bool = False


def load_truth(course, lab):
    """The executed solution of a lab, as a dict, with what its checks printed.

    Parameters
    ----------
    course : Course
    lab : Lab

    Raises
    ------
    CourseError
        Where it is not there, or has not been run.
    """
    path = course.solutions / f"{lab.name}.ipynb"
    if not path.is_file():
        raise CourseError(f"{path.parent.name}/{path.name} is missing: write it with python -m utils.course build")
    truth = json.loads(path.read_text(encoding="utf-8"))
    for cell in truth["cells"]:
        checked = "nbval-check-output" in cell["metadata"].get("tags", ())
        if checked and not (cell.get("execution_count") and cell.get("outputs")):
            message = f"{path.parent.name}/{path.name} has not been run (cell {cell['id']} has no output)"
            raise CourseError(f"{message}: run it with python -m utils.course build {lab.number}")
    return truth


def answer_cells(truth):
    """The cells of a solution notebook that hold its exercises: exercise id -> cell."""
    return {cell["metadata"]["exercise"]: cell for cell in truth["cells"] if cell["metadata"].get("exercise")}


def stubs(truth):
    """What the student finds in place of each solution: exercise id -> source."""
    found = {}
    for exercise, cell in answer_cells(truth).items():
        text = join(cell["source"])
        if BEGIN not in text:
            raise CourseError(f"the solution of exercise {exercise} has no solution marks")
        found[exercise] = cut(f"exercise {exercise}", Cell("code", text, 1, 1, exercise))
    return found


def compose(truth, student_cells):
    """Find the student's answer to each exercise.

    Parameters
    ----------
    truth : dict
        The solution notebook.
    student_cells : list of StudentCell

    Returns
    -------
    list of Answer
        One for each exercise, in their order.
    """
    candidates = _candidates(truth, student_cells)
    answers = []
    for exercise, stub in stubs(truth).items():
        names = defined_names(join(answer_cells(truth)[exercise]["source"]))
        answers.append(_answer(exercise, stub, names, candidates))
    return _name_helpers(answers, truth, student_cells)


def composed_notebook(truth, answers, stubs):
    """The solution notebook with answers in place of its solutions; plain ``pytest --nbval-lax`` judges it.

    Parameters
    ----------
    truth : dict
        The executed solution notebook. Checks keep the outputs that they should print.
    answers : list of Answer
    stubs : dict of str to str
        Exercise id -> source that stands in where there is no answer.
    """
    composed = copy.deepcopy(truth)
    sources = {answer.exercise: answer.source for answer in answers}
    for exercise, cell in answer_cells(composed).items():
        source = sources.get(exercise)
        cell["source"] = split(stubs[exercise] if source is None else source)
        cell["outputs"], cell["execution_count"] = [], None
    return composed


def compose_file(course, number, submission, target, say=print):
    """Write the composed notebook of one submission, and say how each answer was found.

    Parameters
    ----------
    course : Course
    number : str
        Of the lab.
    submission, target : pathlib.Path
    say : callable
        Prints one line for each exercise.

    Raises
    ------
    CourseError
        Where the submission cannot be read.
    """
    (lab,) = select_labs([number], course.root)
    truth = load_truth(course, lab)
    try:
        answers = compose(truth, read_notebook(submission.read_bytes()))
    except (OSError, Unreadable) as error:
        raise CourseError(f"{submission} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    write_text(target, dumps(composed_notebook(truth, answers, stubs(truth))))
    for answer in answers:
        found = "missing" if answer.source is None else f"found by {answer.how}"
        found = "not attempted" if answer.untouched else found
        say(f"{answer.exercise}  {found}" + (f" ({answer.note})" if answer.note else ""))


# --- candidates ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    """A piece of a student's notebook that may be an answer, or a part of one."""

    place: int
    source: str
    exercise: str  # empty where only its names speak
    how: str
    code: bool
    names: frozenset


def _candidates(truth, student_cells):
    """All pieces that may be answers, in the notebook's order."""
    exercises = answer_cells(truth)
    by_id = {cell["id"]: exercise for exercise, cell in exercises.items()}
    given = {_squeeze(join(cell["source"])) for cell in truth["cells"] if cell["id"] not in by_id}
    found = []
    for student_cell in student_cells:
        for piece in _pieces(student_cell.source, exercises):
            marked = _marked(piece)
            if marked in exercises:
                exercise, how = marked, "marker"
            elif student_cell.exercise in exercises:
                exercise, how = student_cell.exercise, "metadata"
            elif student_cell.id in by_id:
                exercise, how = by_id[student_cell.id], "id"
            else:
                exercise, how = "", "names"
            code = student_cell.kind == "code"
            source = piece if code else _FENCE.sub("", piece).strip("\n")
            names = defined_names(source)
            if not exercise and (not names or _squeeze(piece) in given or not (code or _parsed(source))):
                continue
            if exercise and not code and not names:
                continue  # prose under a heading "Exercise 1.2"
            found.append(_Candidate(len(found), source, exercise, how, code, names))
    return found


def _pieces(source, exercises):
    """The cell; cut before each marker where a student has merged several exercises into one cell."""
    lines = source.split("\n")
    starts = [i for i, line in enumerate(lines) if (found := _MARKER.match(line)) and found[1] in exercises]
    if len({_MARKER.match(lines[i])[1] for i in starts}) < 2:
        return [source]
    bounds = [0, *starts[1:], len(lines)]
    return ["\n".join(lines[a:b]).rstrip("\n") for a, b in pairwise(bounds)]


def _marked(source):
    """The exercise that a line ``# Exercise 1.2`` at the margin names, the first one; None where there is none."""
    return next((found[1] for line in source.split("\n") if (found := _MARKER.match(line))), None)


def _answer(exercise, stub, names, candidates):
    """The answer to one exercise, out of the candidates."""
    own = [c for c in candidates if c.exercise == exercise and c.source.strip()]
    loose = [c for c in candidates if not c.exercise and c.names & names]
    open_ones = [c for c in [*loose, *own] if _essence(c.source) == _essence(stub)]
    loose = [c for c in loose if c not in open_ones]
    edited = [c for c in own if c not in open_ones]
    if any(c.names & names for c in own):
        edited = [c for c in edited if c.names & names]  # the others are trials under the same heading
    edited = [c for c in edited if c.code] or edited
    whole = [c for c in edited if names <= c.names]
    if whole:
        parts = whole[-1:]
    elif edited:
        parts = _together(edited[-1], names, [*edited, *loose])
    else:
        parts = _scattered(open_ones, names, loose)
    if parts:
        copies = len({_essence(c.source) for c in whole})
        how = min((part.how for part in parts), key=SURENESS.index)
        source = "\n\n\n".join(part.source.rstrip("\n") for part in parts)
        return Answer(exercise, source, how, _note(parts, copies, how))
    if open_ones:
        return Answer(exercise, open_ones[-1].source, open_ones[-1].how, untouched=True)
    why = "its cell is empty" if any(c.exercise == exercise for c in candidates) else "no cell holds it"
    return Answer(exercise, None, "missing", f"{why}: the stub stands in")


def _note(parts, copies, how):
    notes = []
    if how == "names":
        notes.append("recognised by the names that it defines")
    if copies > 1:
        notes.append(f"{copies} different copies, the last one is taken")
    if len(parts) > 1:
        notes.append(f"put together from {len(parts)} cells")
    if not all(part.code for part in parts):
        notes.append("its cell had been turned into text")
    return "; ".join(notes)


def _together(main, names, others):
    """`main` and, for the names that it does not define, the last cells that do, in the notebook's order."""
    parts = [main]
    for name in sorted(names - main.names):
        definers = [other for other in others if name in other.names]
        if definers and definers[-1] not in parts:
            parts.append(definers[-1])
    return sorted(parts, key=lambda part: part.place)


def _scattered(open_ones, names, loose):
    """Cells without a mark that define the names: all, or most of them, or any where the stub is there to go with."""
    definers = []
    for name in sorted(names):
        last = [c for c in loose if name in c.names][-1:]
        definers += [c for c in last if c not in definers]
    covered = frozenset().union(*(c.names & names for c in definers))
    if not definers or not (names <= covered or open_ones or 2 * len(covered) > len(names)):
        return []
    stub = open_ones[-1:] if not names <= covered else []
    return [*stub, *sorted(definers, key=lambda part: part.place)]


# --- what code says of itself ----------------------------------------------------------------------------------------


def _parsed(source):
    """The cell as Python reads it, see :func:`~utils.course.grading.syntax.parse`; None where it is not Python."""
    try:
        return parse(source)
    except NotPython:
        return None


def defined_names(source):
    """Functions and classes that a cell defines at its top level, also where something in it is not Python.

    Examples
    --------
    >>> sorted(defined_names("%matplotlib inline\\ndef double(x):\\n    return 2 * x\\nhalf = lambda x: x / 2"))
    ['double', 'half']
    >>> sorted(defined_names("def double(x:"))
    ['double']
    """
    parsed = _parsed(source)
    if parsed is None:
        return frozenset(_DEFINES.findall(source[:LONGEST]))
    names = set()
    for node in parsed.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(names)


def _name_helpers(answers, truth, student_cells):
    """The answers; a note on each that uses what only other cells of the student's notebook define."""
    ours = _meanings(join(cell["source"]) for cell in truth["cells"] if cell["cell_type"] == "code")
    ours |= _meanings(answer.source for answer in answers if answer.source) | set(dir(builtins))
    theirs = _meanings(cell.source for cell in student_cells if cell.kind == "code") - ours
    noted = []
    for answer in answers:
        if answer.source and not answer.untouched and (helpers := _names(names_read, answer.source) & theirs):
            listed = ", ".join(f"`{name}`" for name in sorted(helpers)[:5])
            more = f"uses {listed}, defined outside the answer's cell and not taken"
            answer = replace(answer, note=f"{answer.note}; {more}" if answer.note else more)
        noted.append(answer)
    return noted


def _meanings(sources):
    """All names to which one of these cells gives a meaning."""
    return set().union(*(_names(names_bound, source) for source in sources))


def _names(which, source):
    """Names that :mod:`utils.course.names` finds in a cell, magics left out; none where it is not Python."""
    parsed = _parsed(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return which(parsed.text) if parsed else set()
    except (SyntaxError, RecursionError, MemoryError):  # what has a tree need not run: a `return` outside a function
        return set()


def _squeeze(text):
    return re.sub(r"\s+", "", text)


def _essence(text):
    """Code without white space and without the lines that name an exercise."""
    return _squeeze("\n".join(line for line in text.split("\n") if not _MARKER.match(line)))
