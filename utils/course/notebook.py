"""The notebooks that a source gives, as plain dictionaries in Jupyter's format 4.5, and as text."""

import hashlib
import json

from utils.course.marks import cut
from utils.course.rules import ANSWER, MAY_REPEAT

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


def student_notebook(lab, cells):
    """The notebook that students open: solutions cut, answers dropped, no outputs."""
    return _notebook(lab, cells, student=True)


def solution_notebook(lab, cells):
    """The notebook with solutions and answers, not yet executed."""
    return _notebook(lab, cells, student=False)


def _notebook(lab, cells, student):
    """Both notebooks count twins over the whole source, so that they share their ids."""
    derived, twins = [], {}
    for cell in cells:
        identity = _identity(cell)
        twins[identity] = twins.get(identity, 0) + 1
        if twins[identity] > 1:
            identity = f"{identity}-{twins[identity]}"
        if student and ANSWER in cell.tags:
            continue
        text = cut(lab.path, cell) if student and cell.exercise else cell.text
        derived.append(_cell(cell, identity, text))
    return {"cells": derived, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}


def _identity(cell):
    """An id that other cells have no part in: by exercise, by role, otherwise by content."""
    if cell.exercise:
        return f"exercise-{cell.exercise.replace('.', '-')}"
    if cell.check:
        return f"check-{cell.check.replace('.', '-')}"
    for role in ("setup", "imports"):
        if role in cell.tags:
            return role
    return hashlib.sha256(f"{cell.kind}\n{cell.text}".encode()).hexdigest()[:10]


def _cell(cell, identity, text):
    metadata = {}
    if cell.exercise:
        metadata["exercise"] = cell.exercise
    if tags := [tag for tag in cell.tags if tag != MAY_REPEAT]:
        metadata["tags"] = tags
    derived = {"cell_type": cell.kind, "id": identity, "metadata": metadata, "source": split(text)}
    return derived | {"execution_count": None, "outputs": []} if cell.kind == "code" else derived


def split(text):
    """A text as the list of lines that a notebook file stores."""
    return text.splitlines(keepends=True)


def join(lines):
    """The text of a list of lines; a text stays as it is."""
    return lines if isinstance(lines, str) else "".join(lines)


def dumps(notebook):
    """The notebook's file, to the byte: sorted keys, one space of indentation, a line end at the end."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
