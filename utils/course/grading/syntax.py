"""A student's cell as Python reads it, its magics left out."""

import ast
import re
import warnings
from typing import NamedTuple

LONGEST = 100_000  # characters: longer cells are not looked into
_MAGIC = re.compile(r"^([ \t]*)(%{1,2}\w+|!{1,2}\w*|\?{1,2}\w+).*$", re.MULTILINE)
_ASSIGNED_MAGIC = re.compile(r"^([ \t]*\w[\w, \t]*=[ \t]*)([%!]).*$", re.MULTILINE)
_NOT_PYTHON = (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError)


class NotPython(Exception):
    """A source that cannot be read as Python; the text says why."""


class Parsed(NamedTuple):
    """A cell without its magics, as text and as a tree; and these: list of (line, magic)."""

    text: str
    tree: ast.Module
    magics: list


def parse(source):
    """The :class:`Parsed` cell; magics are looked for where it is not Python as it stands. Else :class:`NotPython`.

    Examples
    --------
    >>> parse("%matplotlib inline\\nfiles = !ls").text
    'pass\\nfiles = None'
    >>> parse("x = = 1")
    Traceback (most recent call last):
    utils.course.grading.syntax.NotPython: is not valid Python (invalid syntax, line 1)
    """
    if len(source) > LONGEST:
        raise NotPython(f"is {len(source)} characters long: not read")
    try:
        return Parsed(source, _tree(source), [])
    except SyntaxError as error:
        problem = f"is not valid Python ({error.msg}, line {error.lineno})"
    except _NOT_PYTHON:
        raise NotPython("cannot be read as Python") from None
    found = [*_MAGIC.finditer(source), *_ASSIGNED_MAGIC.finditer(source)]
    magics = sorted((source.count("\n", 0, magic.start(2)) + 1, magic[2]) for magic in found)
    if magics:
        text = _ASSIGNED_MAGIC.sub(r"\g<1>None", _MAGIC.sub(r"\1pass", source))
        try:
            return Parsed(text, _tree(text), magics)
        except _NOT_PYTHON:
            problem += f"; it holds the magic {found[0][2]}"
    raise NotPython(problem)


def _tree(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a student's "\d" is no business of whoever grades
        return ast.parse(source)
