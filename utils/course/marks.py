"""The marks around a solution: ``### BEGIN SOLUTION`` and ``### END SOLUTION`` (those of nbgrader)."""

import ast
import io
import re
import tokenize

from utils.course.errors import SourceError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_ALMOST = re.compile(r"#+\s*(begin|end)\s+solution\W*", re.IGNORECASE)


def marks(path, cell):
    """Where a cell's marks stand.

    Returns
    -------
    list of tuple
        (begin, end) for each solution: the indices, within the cell's lines, of its two marks.

    Raises
    ------
    SourceError
        Where marks are misspelt, nested, or not in pairs.
    """
    found, begin = [], None
    for index, comment in _comments(cell):
        if not _ALMOST.fullmatch(comment):
            continue
        line = cell.line + index
        if comment not in (BEGIN, END):
            raise SourceError(path, line, f"the marks are `{BEGIN}` and `{END}`, got `{comment}`", cell)
        if comment == BEGIN:
            if begin is not None:
                raise SourceError(path, line, f"`{BEGIN}` inside the solution of line {cell.line + begin}", cell)
            begin = index
        elif begin is None:
            raise SourceError(path, line, f"`{END}` without `{BEGIN}` above it", cell)
        else:
            found.append((begin, index))
            begin = None
    if begin is not None:
        raise SourceError(path, cell.line + begin, f"`{BEGIN}` without `{END}` below it", cell)
    return found


def _comments(cell):
    """(index of the line, text) of each line that is a comment alone; in prose, of each line."""
    lines = cell.text.splitlines()
    if cell.kind == "code":
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(cell.text + "\n").readline))
        except (tokenize.TokenError, SyntaxError):
            tokens = None  # magics, or code that is broken and will be reported as such
        if tokens is not None:
            return [
                (token.start[0] - 1, token.string.strip())
                for token in tokens
                if token.type == tokenize.COMMENT and not lines[token.start[0] - 1][: token.start[1]].strip()
            ]
    return [(index, line.strip()) for index, line in enumerate(lines)]


def solution_statements(path, cell):
    """The statements of a cell's solutions: list of ast.stmt, compound ones and those inside them alike."""
    tree = ast.parse(cell.text)
    spans = marks(path, cell)
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and any(begin < node.lineno - 1 < end for begin, end in spans)
    ]


def cut(path, cell):
    """The cell's text as the student gets it: each solution replaced by ``raise NotImplementedError("Exercise …")``."""
    lines = cell.text.splitlines()
    for begin, end in reversed(marks(path, cell)):
        indentation = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
        lines[begin : end + 1] = [f'{indentation}raise NotImplementedError("Exercise {cell.exercise}")']
    return "\n".join(lines)
