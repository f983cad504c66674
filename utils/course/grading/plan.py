"""Which cells of a lab are run for a grade, in which order, and what stands in for an exercise that is not solved."""

import ast
import builtins
import json
from dataclasses import dataclass

from utils.course.errors import CourseError
from utils.course.layout import load_course
from utils.course.marks import cut
from utils.course.names import names_bound, names_read
from utils.course.notebook import join, solution_notebook
from utils.course.slicing import slice_reference
from utils.course.source import read_cells, select_labs


@dataclass(frozen=True)
class Step:
    """A cell of code that is run.

    Parameters
    ----------
    id : str
        Of the cell.
    role : str
        ``"answer"``, ``"check"``, or ``"other"``.
    exercise : str or None
        Of an answer or a check.
    source : str
        Of an answer: the stub.
    """

    id: str
    role: str
    exercise: str | None
    source: str


@dataclass(frozen=True)
class Plan:
    """A lab as it is graded.

    Parameters
    ----------
    truth : dict
        The executed notebook of the solutions.
    stubs : dict
        Exercise id -> source of its cell as it is handed out.
    solutions : dict
        Exercise id -> source of its cell with the solution.
    steps : list of Step
        All cells of code, in order.
    needed : frozenset of str
        Ids of the steps without which the checks could not be made.
    stand_ins : dict
        Exercise id -> code that puts the exercise's reference in the place of the student's functions.
    modules : tuple of str
        What the lab's imports cell imports, and what it takes from modules: these may be modules too.
    """

    truth: dict
    stubs: dict
    solutions: dict
    steps: list
    needed: frozenset
    stand_ins: dict
    modules: tuple


def make_plan(root, number):
    """The :class:`Plan` of lab `number` of the course in the folder `root`."""
    course = load_course(root)
    (lab,) = select_labs([number], course.root)
    path = course.solutions / f"{lab.name}.ipynb"
    try:
        truth = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(
            f"grading needs the executed notebook solutions/{path.name}: {error}; make it with: "
            f"python -m utils.course build {number}"
        ) from None
    cells = read_cells(lab.path)
    derived = solution_notebook(lab, cells)["cells"]
    if [(c["id"], join(c["source"])) for c in derived] != [(c["id"], join(c["source"])) for c in truth["cells"]]:
        raise CourseError(
            f"solutions/{path.name} is not what solutions/{lab.path.name} gives; mend it with: "
            f"python -m utils.course build {number}"
        )
    steps, stubs, solutions, stand_ins, always, modules = [], {}, {}, {}, set(), ()
    checks = (course.root / f"utils/checks/lab{number}.py").read_text(encoding="utf-8")
    for cell, node in zip(cells, derived, strict=True):
        if cell.kind != "code":
            continue
        if cell.exercise:
            stubs[cell.exercise], solutions[cell.exercise] = cut(lab.path, cell), cell.text
            steps.append(Step(node["id"], "answer", cell.exercise, stubs[cell.exercise]))
        elif cell.check:
            names = [ast.unparse(argument) for argument in cell.check_call.args[1:]]
            stand_ins[cell.check] = stand_in(slice_reference(checks, cell.check), names)
            source = f"from utils.checks import check\n{ast.unparse(cell.check_call)}"
            steps.append(Step(node["id"], "check", cell.check, source))
        else:
            steps.append(Step(node["id"], "other", None, cell.text))
            if "setup" in cell.tags or "imports" in cell.tags:
                always.add(node["id"])
            if "imports" in cell.tags:
                modules = tuple(_modules(cell.text))
    return Plan(truth, stubs, solutions, steps, _needed(steps, solutions, always), stand_ins, modules)


def stand_in(reference, names):
    """Code that binds `names` to what the module `reference` gives, and leaves nothing else behind.

    Examples
    --------
    >>> exec(stand_in("def reference():\\n    return abs", ["size"]))
    >>> size(-2)
    2
    """
    return (
        "_reference = {'__name__': 'reference'}\n"
        f"exec(compile({reference!r}, '<reference>', 'exec'), _reference)\n"
        f"{', '.join(names)} = _reference.pop('reference')()\n"
        "del _reference"
    )


def _modules(source):
    """Modules that a cell imports, and what it takes from them, which may be modules too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _needed(steps, solutions, always):
    """Ids of the checks, the answers, the cells in `always`, and of the cells that bind what these read."""
    needed, wanted = set(), set()
    bound = {n for s in steps if s.id in always or s.role == "answer" for n in _names(names_bound, s.source)}
    for step in reversed(steps):
        source = solutions[step.exercise] if step.role == "answer" else step.source
        if step.role != "other" or step.id in always or _names(names_bound, source) & wanted:
            needed.add(step.id)
            wanted |= _names(names_read, source) - bound - set(dir(builtins))
    return frozenset(needed)


def _names(which, source):
    try:
        return which(source)
    except SyntaxError:  # a cell with magics
        return set()
