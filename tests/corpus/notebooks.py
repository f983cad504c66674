"""Students' notebooks of a lab, made from its solution notebook: any exercise solved, open, or with given code."""

import copy
import json
from functools import cache

from utils.course.grading.compose import answer_cells, load_truth, stubs
from utils.course.layout import load_course
from utils.course.marks import BEGIN, END
from utils.course.notebook import join, split
from utils.course.source import select_labs


class Handout:
    """A lab as it is handed out, and ways to fill it in.

    Parameters
    ----------
    number : str
        Such as ``"03"``.
    """

    def __init__(self, number):
        course = load_course()
        (self.lab,) = select_labs([number], course.root)
        self.truth = load_truth(course, self.lab)
        self.blank = json.loads((course.labs / f"{self.lab.name}.ipynb").read_text(encoding="utf-8"))
        self.stubs = stubs(self.truth)
        self.exercises = list(self.stubs)
        marked = {exercise: join(cell["source"]) for exercise, cell in answer_cells(self.truth).items()}
        self.solutions = {
            exercise: "\n".join(line for line in text.splitlines() if line.strip() not in (BEGIN, END))
            for exercise, text in marked.items()
        }

    @property
    def file_name(self):
        return f"{self.lab.name}.ipynb"

    def filled(self, exercise, body, top=""):
        """The exercise's cell with `body` in the place of each solution, and `top` above the functions."""
        lines = []
        for line in self.stubs[exercise].splitlines():
            if line.strip() == f'raise NotImplementedError("Exercise {exercise}")':
                indentation = line[: len(line) - len(line.lstrip())]
                lines += [indentation + inner if inner else "" for inner in body.splitlines()]
            else:
                lines.append(line)
        return "\n".join([lines[0], *top.splitlines(), *lines[1:]])

    def notebook(self, sources=None):
        """A notebook with these sources, exercise id -> text, in the cells of exercises; the others are open.

        Returns
        -------
        dict
        """
        notebook = copy.deepcopy(self.blank)
        for cell in notebook["cells"]:
            source = (sources or {}).get(cell["metadata"].get("exercise"))
            if source is not None:
                cell["source"] = split(source)
        return notebook

    def solved(self, changes=None):
        """A notebook with all exercises solved but for `changes`, exercise id -> text; None leaves one open."""
        sources = self.solutions | (changes or {})
        return self.notebook({exercise: source for exercise, source in sources.items() if source is not None})


@cache
def handout(number):
    """The :class:`Handout` of a lab."""
    return Handout(number)


def to_bytes(notebook):
    """A notebook's file."""
    try:
        return json.dumps(notebook, ensure_ascii=False, indent=1).encode()
    except UnicodeEncodeError:  # half a letter
        return json.dumps(notebook, indent=1).encode()


def answer_cell(notebook, exercise):
    """The cell of an exercise in a notebook of ours."""
    return next(cell for cell in notebook["cells"] if cell["metadata"].get("exercise") == exercise)
