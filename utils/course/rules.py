"""What a lab's source has to be like. :func:`check_source` names file, cell and line of all that is not."""

import ast
import builtins
import re
from collections import Counter

from utils.course.errors import CourseError, SourceError
from utils.course.marks import BEGIN, cut, marks, solution_statements
from utils.course.names import names_bound, names_read
from utils.course.template import COLAB_LINK, colab_link, set_up_cell
from utils.lab import read_header

ANSWER = "answer"  # tag of a cell that only the solution has
MAY_REPEAT = "may-repeat-solution"  # tag of a cell that shows a solution's line on purpose
CHECKED = "nbval-check-output"
SHORTEST_LEAK = 24  # characters without white space: shorter statements are nobody's secret


def check_source(course, lab, cells):
    """Raise a CourseError that lists everything that is wrong with the cells of a lab's source.

    Parameters
    ----------
    course : Course
    lab : Lab
    cells : list of Cell
    """
    problems = []
    for rule in (_top, _code, _exercises, _marks):
        problems += rule(course, lab, cells)
    if not problems:  # these two look into the exercises, which have to be sound
        problems = _names(lab, cells) + _leaks(lab, cells)
    if problems:
        raise CourseError("\n".join(str(problem) for problem in problems))


def _top(course, lab, cells):
    """Header with the lab's badge, set-up cell, one imports cell, in this order; links to Colab are the course's."""
    path, problems = lab.path, []
    header = cells[0]
    if header.kind != "markdown" or not header.text.startswith("# "):
        problems.append(
            SourceError(path, header.line, "the first cell is the header: prose with a title `# …`", header)
        )
    else:
        try:
            read_header(header.text)
        except ValueError as error:
            problems.append(SourceError(path, header.line, str(error), header))
    if colab_link(course, lab.name) not in COLAB_LINK.findall(header.text):
        wanted = colab_link(course, lab.name)
        problems.append(SourceError(path, header.line, f"the header has no badge that opens {wanted}", header))
    for cell in cells:
        for link in COLAB_LINK.findall(cell.text):
            name = link.rpartition("/")[2].removesuffix(".ipynb")
            if link != colab_link(course, name) or not (lab.path.parent / f"{name}.py").is_file():
                line = cell.line + cell.text[: cell.text.index(link)].count("\n")
                message = f"{link} opens no lab of this course ({course.slug}, {course.revision})"
                problems.append(SourceError(path, line, message, cell))
    code = [cell for cell in cells if cell.kind == "code"]
    for place, (tag, what) in enumerate([("setup", "a set-up cell"), ("imports", "an imports cell")]):
        tagged = [cell for cell in cells if tag in cell.tags]
        if not tagged:
            problems.append(SourceError(path, 1, f'{what} is missing: a code cell with tags=["{tag}"]'))
        for extra in tagged[1:]:
            problems.append(SourceError(path, extra.line, f"{what} is there already, in line {tagged[0].line}", extra))
        if tagged and tagged[0] not in code[place : place + 1]:
            wanted = ("the set-up cell is the first code cell", "the imports cell comes right after the set-up cell")
            problems.append(SourceError(path, tagged[0].line, wanted[place], tagged[0]))
        if tag == "setup" and tagged and tagged[0].text != set_up_cell(course, lab.number):
            line, wanted = _first_difference(tagged[0], set_up_cell(course, lab.number))
            problems.append(
                SourceError(path, line, f"the set-up cell differs from the course's, wanted: {wanted}", tagged[0])
            )
    return problems


def _first_difference(cell, wanted):
    """Line of the file where the cell departs from the `wanted` text, and what should stand there."""
    ours, theirs = cell.text.splitlines(), wanted.splitlines()
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    return cell.line + min(same, len(ours) - 1), theirs[same] if same < len(theirs) else "the end of the cell"


def _code(course, lab, cells):
    """Code cells without magics are Python."""
    problems = []
    for cell in cells:
        plain = not re.search(r"^\s*[%!]", cell.text, re.MULTILINE)
        if cell.kind == "code" and (plain or cell.exercise or "imports" in cell.tags):
            try:
                ast.parse(cell.text)
            except SyntaxError as error:
                problems.append(SourceError(lab.path, cell.line + (error.lineno or 1) - 1, f"{error.msg}", cell))
    return problems


def _exercises(course, lab, cells):
    """Ids count up; each exercise has its first line, and one check of the same id right below."""
    problems = []

    def problem(cell, message):
        problems.append(SourceError(lab.path, cell.line, message, cell))

    expected, seen = 1, {}
    for cell, below in zip(cells, [*cells[1:], None], strict=True):
        name = cell.exercise
        if not name:
            continue
        if cell.kind != "code":
            problem(cell, "an exercise is a code cell")
        if not re.fullmatch(r"\d+\.\d+", name):
            problem(cell, f'an exercise is named by lab and number, such as "{lab.exercise_prefix}1", got "{name}"')
        elif not name.startswith(lab.exercise_prefix):
            problem(cell, f"exercise {name} belongs to another lab: here they are {lab.exercise_prefix}1, …")
        elif name in seen:
            problem(cell, f"exercise {name} is there already, in line {seen[name]}")
        elif name != f"{lab.exercise_prefix}{expected}":
            problem(
                cell, f"exercise {name} comes where {lab.exercise_prefix}{expected} is due: ids count up without a gap"
            )
        seen.setdefault(name, cell.line)
        expected = int(name.rpartition(".")[2]) + 1 if name.rpartition(".")[2].isdigit() else expected + 1
        if cell.text.splitlines()[0] != f"# Exercise {name}":
            problem(cell, f"the first line of the cell is `# Exercise {name}`")
        if below is None or below.check is None:
            later = [other for other in cells if other.check == name]
            where = f"; it stands in line {later[0].line}, not right below" if later else ""
            problem(cell, f'exercise {name} has no check: the next cell is `check("{name}", …)`{where}')
    checks = {}
    for above, cell in zip([None, *cells[:-1]], cells, strict=True):
        if cell.kind != "code" or _count_checks(cell) == 0:
            continue
        name = cell.check
        if name is None or _count_checks(cell) > 1 or len(ast.parse(cell.text).body) > 1:
            problem(cell, 'a check cell holds one call, `check("1.2", …)`, at its top level and with the id spelt out')
            continue
        if len(cell.check_call.args) < 2:
            problem(cell, f'the check passes nothing: wanted `check("{name}", name_of_the_function)`')
        if CHECKED not in cell.tags:
            problem(cell, f'the check cell lacks tags=["{CHECKED}"]')
        if name in checks:
            problem(cell, f"exercise {name} has a check already, in line {checks[name]}")
        elif above is not None and above.exercise and above.exercise != name:
            problem(cell, f"the check is of {name}, the exercise above it is {above.exercise}")
        elif name not in seen:
            problem(cell, f"the check of {name} belongs to no exercise of this lab")
        elif above is None or above.exercise != name:
            problem(cell, f"the check of {name} stands not right below its exercise (line {seen[name]})")
        checks.setdefault(name, cell.line)
    return problems


def _count_checks(cell):
    """How often the cell's code calls `check`."""
    try:
        nodes = list(ast.walk(ast.parse(cell.text)))
    except SyntaxError:
        return 0
    return sum(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "check" for n in nodes)


def _marks(course, lab, cells):
    """Solution marks: in pairs, in exercise cells alone, around statements of a function's body."""
    problems = []
    for cell in cells:
        try:
            spans = marks(lab.path, cell)
        except SourceError as error:
            problems.append(error)
            continue
        if not cell.exercise:
            problems += [
                SourceError(lab.path, cell.line + begin, "solution marks belong into an exercise cell", cell)
                for begin, _ in spans
            ]
        elif not spans:
            problems.append(SourceError(lab.path, cell.line, f"no solution: put `{BEGIN}` and its end around it", cell))
        elif cell.kind == "code" and _parses(cell.text):
            problems += _placed(lab.path, cell, spans)
    return problems


def _parses(text):
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _placed(path, cell, spans):
    """Problems of where the marks of an exercise cell stand."""
    problems = []
    tree, lines = ast.parse(cell.text), cell.text.splitlines()
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for begin, end in spans:

        def problem(message, begin=begin):
            problems.append(SourceError(path, cell.line + begin, message, cell))

        inside = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and begin < n.lineno - 1 < end]
        if not inside:
            problem("nothing stands between the solution marks")
        elif not any(
            f.body[0].lineno - 1 <= max(n.lineno for n in inside) - 1
            and f.lineno - 1 < begin
            and max(n.end_lineno for n in inside) <= f.end_lineno
            for f in functions
        ):
            problem("the solution marks stand outside a function: put them into its body")
        elif _indentation(lines[begin]) != _indentation(lines[end]):
            problem("the two solution marks are indented differently")
        elif max(n.end_lineno for n in inside) - 1 > end:
            problem("a statement starts between the solution marks and ends after them")
    if not problems:
        try:
            ast.parse(cut(path, cell))
        except SyntaxError as error:
            line = cell.line + spans[0][0]
            problems.append(SourceError(path, line, f"without the solution the cell is not Python: {error.msg}", cell))
    return problems


def _indentation(line):
    return len(line) - len(line.lstrip())


def _names(lab, cells):
    """Exercise cells use what the imports cell and earlier exercises define: tests run these cells alone."""
    problems = []
    known = {*dir(builtins), "__name__"}
    for cell in cells:
        if "imports" not in cell.tags and not cell.exercise:
            continue
        known |= names_bound(cell.text)
        if not cell.exercise:
            continue
        for name in sorted(names_read(cell.text) - known):
            line = next(
                (n.lineno for n in ast.walk(ast.parse(cell.text)) if isinstance(n, ast.Name) and n.id == name), 1
            )
            message = f"`{name}` is defined neither in the imports cell nor in this or an earlier exercise"
            problems.append(SourceError(lab.path, cell.line + line - 1, message, cell))
    return problems


def _leaks(lab, cells):
    """Statements of a solution that the student's notebook shows elsewhere."""
    secrets = solution_secrets(lab.path, cells)
    problems = []
    for cell in cells:
        if ANSWER in cell.tags or MAY_REPEAT in cell.tags:
            continue
        shown = cut(lab.path, cell) if cell.exercise else cell.text
        for exercise, statement in find_leaks(secrets, shown):
            line = cell.line + _line_of(statement, cell.text)
            message = (
                f"the solution of exercise {exercise} shows in the student's notebook: `{statement}` "
                f'(tags=["{MAY_REPEAT}"] on this cell allows it)'
            )
            problems.append(SourceError(lab.path, line, message, cell))
    return problems


def solution_secrets(path, cells):
    """What must not show: statements of the solutions that are long enough to say something.

    Returns
    -------
    list of tuple
        (exercise id, statement in one line, the ways in which it may be written, without white space,
        whether it is a layer of a network)
    """
    secrets = {}
    for cell in cells:
        for node in solution_statements(path, cell) if cell.exercise else ():
            if not isinstance(node, _TELL_NOTHING):
                written = {ast.unparse(node).splitlines()[0], _first_part(cell.text, node)}
                needles = {_squeeze(way) for way in written if len(_squeeze(way)) >= SHORTEST_LEAK}
                if needles:
                    statement = ast.unparse(node).splitlines()[0]
                    secrets.setdefault(statement, (cell.exercise, statement, needles, _is_layer(node)))
    return list(secrets.values())


_TELL_NOTHING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Try)


def _is_layer(node):
    """Whether a statement is ``x = layer(...)(x)``, ``inputs = Input(...)`` or ``return Model(...)``."""
    call = getattr(node, "value", None)
    if not isinstance(call, ast.Call):
        return False
    return isinstance(call.func, ast.Call) or ast.unparse(call.func).rpartition(".")[2] in ("Input", "Model")


def _first_part(text, node):
    """A statement as it is written; of a compound one what stands before its body."""
    written = ast.get_source_segment(text, node)
    body = getattr(node, "body", None)
    return "\n".join(written.splitlines()[: max(1, body[0].lineno - node.lineno)]) if body else written


def find_leaks(secrets, text):
    """The pairs (exercise id, statement) that stand in `text`, however it is spaced, quoted or broken into lines.

    One layer tells nothing of a network, as all networks have such layers: from three on they count.
    """
    shown = _squeeze(text)
    found = [secret for secret in secrets if any(needle in shown for needle in secret[2])]
    layers = Counter(exercise for exercise, _, _, layer in found if layer)
    return [(exercise, statement) for exercise, statement, _, layer in found if not layer or layers[exercise] >= 3]


def _squeeze(text):
    """Text without white space, with one kind of quotes, and without the comma before a closing bracket."""
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\s+", "", text).replace("'", '"'))


def _line_of(statement, text):
    """Index of the line of `text` where the statement starts, as far as that can be told."""
    start = _squeeze(statement)[:SHORTEST_LEAK]
    for index, line in enumerate(map(_squeeze, text.splitlines())):
        if start in line or (len(line) > SHORTEST_LEAK / 2 and start.startswith(line[:SHORTEST_LEAK])):
            return index
    return 0
