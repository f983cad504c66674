"""Write the notebooks that follow from a lab's source, or compare them with what is there."""

import difflib
import json

from utils.course.errors import CourseError, SourceError
from utils.course.kernel import run_lab
from utils.course.notebook import dumps, join, solution_notebook, student_notebook
from utils.course.rules import check_source, find_leaks, solution_secrets
from utils.course.source import find_sources, read_cells, select_labs
from utils.files import write_text

LARGEST = 1_500_000  # bytes of a notebook file


def build(course, numbers=(), student_only=False, say=print):
    """Write ``labs/NN_topic.ipynb`` and the executed ``solutions/NN_topic.ipynb``.

    Parameters
    ----------
    course : Course
    numbers : sequence of str
        Which labs; all where it is empty.
    student_only : bool
        Leave the executed solutions as they are.
    say : callable
        Prints one line for each file.
    """
    for lab in select_labs(numbers, course.root):
        cells = checked_cells(course, lab)
        files = {course.labs / f"{lab.name}.ipynb": dumps(student_notebook(lab, cells))}
        note = ""
        if not student_only:
            run = run_lab(course, lab, cells, solution_notebook(lab, cells))
            check_run(lab, cells, run)
            files[course.solutions / f"{lab.name}.ipynb"] = dumps(run.notebook)
            note = f" ({run.cpu_seconds:.0f} s of CPU, {run.peak_bytes / 1e9:.1f} GB)"
        for path, text in files.items():
            check_size(path, text)
        for path, text in files.items():
            same = path.is_file() and path.read_bytes() == text.encode()
            if not same:
                write_text(path, text)
            what = f"{path.parent.name}/{path.name}"
            say(f"{what}: {'unchanged' if same else 'written'}{note if path.parent == course.solutions else ''}")


def checked_cells(course, lab, text=None):
    """The cells of a lab's source, which is found to be as it has to be."""
    cells = read_cells(lab.path, text)
    check_source(course, lab, cells)
    return cells


def check_run(lab, cells, run):
    """Raise a CourseError where a solution's own checks do not pass, or an output is not fit to be stored."""
    secrets = solution_secrets(lab.path, cells)
    for cell, ran in zip(cells, run.notebook["cells"], strict=True):
        text = "".join(output_text(output) for output in ran.get("outputs", ()))
        if cell.check and run.progress.get(cell.check, {"state": "correct"})["state"] != "correct":
            raise SourceError(lab.path, cell.line, f"the solution does not pass its own check:\n{text}", cell)
        if cell.check and any(output.get("name") != "stdout" for output in ran["outputs"]):
            message = "a check prints text and nothing else, as nbval compares it: no warnings, no figures; it leaves"
            raise SourceError(lab.path, cell.line, f"{message}\n{text}", cell)
        if any(output["output_type"] == "error" for output in ran.get("outputs", ())):
            raise SourceError(lab.path, cell.line, f"the cell leaves an error:\n{text}", cell)
        for exercise, statement in find_leaks(secrets, text):
            message = f"the output shows the solution of exercise {exercise}: `{statement}`"
            raise SourceError(lab.path, cell.line, message, cell)


def output_text(output):
    """All that is text in an output."""
    parts = [output.get("text", ""), output.get("traceback", "")]
    parts += [value for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(join(part) for part in parts if part)


def check_size(path, text):
    """Raise a CourseError that names the largest outputs where a notebook's file is too large."""
    size = len(text.encode())
    if size <= LARGEST:
        return
    outputs = [
        (len(json.dumps(output, ensure_ascii=False).encode()), cell["id"], number)
        for number, cell in enumerate(json.loads(text)["cells"], 1)
        for output in cell.get("outputs", ())
    ]
    largest = [f"cell {number} ({name}): {bytes_ / 1e6:.2f} MB" for bytes_, name, number in sorted(outputs)[::-1][:5]]
    raise CourseError(
        f"{path.parent.name}/{path.name} is {size / 1e6:.2f} MB, at most {LARGEST / 1e6:.1f} MB are wanted; "
        "largest outputs: " + ("; ".join(largest) or "none, its sources are that long")
    )


def check(course, numbers=()):
    """Where derived files are not what the sources give: list of readable differences, empty where all agree."""
    labs = select_labs(numbers, course.root)
    found = [difference for lab in labs for difference in check_lab(course, lab)]
    if not numbers:
        names = {lab.name for lab in find_sources(course.root)}
        for folder in (course.labs, course.solutions):
            for path in sorted(folder.glob("*.ipynb")):
                if path.stem not in names:
                    found.append(f"{folder.name}/{path.name} has no source solutions/{path.stem}.py: delete it")
    return found


def check_lab(course, lab):
    """The differences of one lab's two notebooks from its source."""
    try:
        cells = checked_cells(course, lab)
    except CourseError as error:
        return [str(error)]
    found = []
    text, stored, problem = stored_notebook(course.labs / f"{lab.name}.ipynb", lab, "build --student-only")
    derived = student_notebook(lab, cells)
    if problem:
        found.append(problem)
    elif text != dumps(derived).encode():
        found += compare(stored, derived, f"labs/{lab.name}.ipynb", lab, "build --student-only", everything=True)
    _, stored, problem = stored_notebook(course.solutions / f"{lab.name}.ipynb", lab, "build")
    if problem:
        found.append(problem)
    else:
        name = f"solutions/{lab.name}.ipynb"
        found += compare(stored, solution_notebook(lab, cells), name, lab, "build") or _unfit_outputs(stored, name, lab)
    return found


def _mend(lab, command):
    return f"mend it with: python -m utils.course {command} {lab.number}"


def stored_notebook(path, lab, command):
    """(bytes, notebook, problem) of a derived file."""
    name = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        return b"", None, f"{name} is missing; {_mend(lab, command)}"
    text = path.read_bytes()
    try:
        notebook = json.loads(text)
        cells_by_id(notebook)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return text, None, f"{name} is no notebook ({type(error).__name__}: {error}); {_mend(lab, command)}"
    return text, notebook, None


def cells_by_id(notebook):
    """Cell id -> cell of a notebook."""
    return {cell["id"]: cell for cell in notebook["cells"]}


def compare(stored, derived, name, lab, command, everything=False):
    """Differences between a stored notebook and what the source gives, each naming its cell and the mending command.

    Parameters
    ----------
    stored, derived : dict
        Notebooks.
    name : str
        Of the stored file.
    lab : Lab
    command : str
        What mends it.
    everything : bool
        Compare outputs too; two notebooks that then agree in all cells differ in how they are laid out.
    """
    source, mend = f"solutions/{lab.path.name}", _mend(lab, command)
    ours, theirs = cells_by_id(stored), cells_by_id(derived)
    found = []
    for identity, cell in theirs.items():
        before = _lines(ours[identity], everything) if identity in ours else []
        found += _diff(before, _lines(cell, everything), f"{name} cell {identity}", f"{source} cell {identity}")
    for identity, cell in ours.items():
        if identity not in theirs:
            found += _diff(_lines(cell, everything), [], f"{name} cell {identity}", f"{source} (no such cell)")
    if not found and list(ours) != list(theirs):
        found += _diff(list(ours), list(theirs), f"{name} order of the cells", f"{source} order of the cells")
    if not found and len(ours) != len(stored["cells"]):
        found.append(f"{name}: two cells have the same id")
    rest = [
        json.dumps({k: v for k, v in n.items() if k != "cells"}, indent=1, sort_keys=True).splitlines()
        for n in (stored, derived)
    ]
    found += _diff(*rest, f"{name} metadata", f"{source} metadata")
    if everything and not found:
        found.append(f"{name}: the same cells, laid out differently (an editor has saved it)")
    return [f"{difference}\n{mend}" for difference in found]


def _lines(cell, everything):
    """A cell as the lines that are compared."""
    rest = {k: v for k, v in cell.items() if k not in ("source", "id", "outputs", "execution_count")}
    if everything:
        rest |= {k: cell[k] for k in ("outputs", "execution_count") if k in cell}
    return [json.dumps(rest, sort_keys=True, ensure_ascii=False), *join(cell.get("source", "")).splitlines()]


def _diff(before, after, name_before, name_after):
    lines = list(difflib.unified_diff(before, after, name_before, name_after, lineterm=""))
    return ["\n".join(lines)] if lines else []


def _unfit_outputs(stored, name, lab):
    """What nbval would pass over in silence, or must not be there: checks that were not run, and errors."""
    found = []
    for cell in stored["cells"]:
        where = f"{name} cell {cell['id']}"
        outputs = cell.get("outputs", ())
        if cell["id"].startswith("check-"):
            if not (cell.get("execution_count") and outputs):
                found.append(f"{where}: the check has not been run, it has no stored output; {_mend(lab, 'build')}")
            elif any(output.get("name") != "stdout" for output in outputs):
                found.append(f"{where}: the check prints more than text, nbval compares that; {_mend(lab, 'build')}")
        if any(output["output_type"] == "error" for output in outputs):
            found.append(f"{where}: an error is stored; {_mend(lab, 'build')}")
    return found
