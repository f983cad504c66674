"""Parts of a check module, by its syntax tree: without its judge, one reference alone, without hidden sub-tests.

A part is a statement at the top of the module, one name of an import, or a member of an exercise's class. What a part
reaches are the parts that bind the names it reads, and the members that it asks for as ``self.name``, ``super().name``
or ``ItsClass.name``. A name that is put together as a text, as for ``getattr``, is not seen.
"""

import ast
from dataclasses import dataclass

from utils.checks.exercise import Exercise
from utils.course.errors import CourseError
from utils.course.names import names_bound, names_read

_SHOWN = ("id", "title", "hints")
_KINDS = (
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.If,
    ast.Try,
)


def slice_checks(source, methods=("inputs", "observe")):
    """A check module without its judge: id, title, hints and the named methods of each exercise, and what they reach.

    Parameters
    ----------
    source : str
        Of ``utils/checks/labNN.py``.
    methods : collection of str
        Members to keep; an exercise need not define each of them.

    Returns
    -------
    str
        Source of a module with the same exercises.

    Raises
    ------
    CourseError
        Where what is kept would need a sub-test or a member such as ``reference`` that is left out.
    """
    module = _Module(source)
    wanted = {*_SHOWN, *methods}
    seeds = [part for part in module.parts if part.owner and part.names & wanted]
    seeds += [module.headers[name] for name in module.exercises]
    kept = module.reach(seeds)
    for part in kept - set(seeds):
        if part.owner and (_subtest(part.node) or "reference" in part.names):
            what = " or ".join(methods)
            raise CourseError(f"{part.owner}: {what} uses `{min(part.names)}`, which belongs to the judge")
    return module.text(kept)


def slice_reference(source, exercise):
    """A module from which the reference of one exercise can be called, as ``reference()``.

    Parameters
    ----------
    source : str
        Of ``utils/checks/labNN.py``.
    exercise : str
        Its id, such as ``"3.1"``, or the name of its class.

    Returns
    -------
    str
        To be run in a namespace of its own: it imports what it needs and ends with ``reference = Class().reference``.
    """
    module = _Module(source)
    name = module.ids.get(exercise, exercise)
    members = [part for part in module.parts if part.owner and part.owner in module.ancestors(name)]
    if not any("reference" in part.names for part in members):
        raise CourseError(f"there is no exercise {exercise} with a reference()")
    seeds = [module.headers[name], *(part for part in members if part.names & {"id", "reference"})]
    return f"{module.text(module.reach(seeds))}\n\nreference = {name}().reference\n"


def without_hidden(source):
    """A check module without the sub-tests marked ``hidden=True``, and without what served them alone.

    Parameters
    ----------
    source : str
        Of ``utils/checks/labNN.py``; it comes back as it is where it hides nothing.

    Raises
    ------
    CourseError
        Where something that stays needs a hidden sub-test.
    """
    module = _Module(source)
    hidden = {part for part in module.parts if part.owner and _is_hidden(part)}
    if not hidden:
        return source
    served = module.reach(hidden) - hidden
    asked_for = {*_SHOWN, *dir(Exercise)}
    stays = [
        part
        for part in module.parts
        if part not in hidden
        and (part not in served or (part.owner and (part.names & asked_for or _subtest(part.node))))
    ]
    kept = module.reach(stays)
    for part in hidden & kept:
        raise CourseError(f"{part.owner}: something else uses the hidden sub-test `{part.node.name}`")
    return module.docstring + module.text(kept)


@dataclass(frozen=True, eq=False)
class _Part:
    """A statement (of an import: one of its names), the names that it binds, and the class whose member it is."""

    node: ast.stmt
    names: frozenset
    owner: str | None = None
    statement: ast.stmt | None = None  # that it stands in, where it is one name of an import


class _Module:
    """The parts of a check module, in order; an exercise's class is a header and members."""

    def __init__(self, source):
        tree = ast.parse(source)
        self._lines = source.split("\n")
        self.docstring = self._segment(tree.body[0]) + "\n" if tree.body and _is_text(tree.body[0]) else ""
        statements = [node for node in tree.body if not _is_text(node)]
        classes = {node.name: node for node in statements if isinstance(node, ast.ClassDef)}
        self._bases = {name: [_last_name(base) for base in node.bases] for name, node in classes.items()}
        self.exercises = [name for name in classes if "Exercise" in self.ancestors(name)]
        self.parts, self.headers, self.ids = [], {}, {}
        for node in statements:
            if not isinstance(node, _KINDS):
                raise CourseError(
                    "a check module has imports, assignments, functions and classes at its top; line "
                    f"{node.lineno} has: {ast.unparse(node)}"
                )
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.parts += _imports(node)
            elif _named(node) and node.name in self.exercises:
                self.headers[node.name] = _Part(_header(node), frozenset([node.name]))
                members = [_Part(m, frozenset(_bound(m)), node.name) for m in node.body if not _is_text(m)]
                self.parts += [self.headers[node.name], *members]
                self.ids |= {part.node.value.value: node.name for part in members if _is_id(part)}
            else:
                self.parts.append(_Part(node, frozenset(_bound(node))))

    def ancestors(self, name):
        """A class and those that it is derived from, as far as the module tells."""
        return {name}.union(*(self.ancestors(base) for base in self._bases.get(name, ()) if base))

    def reach(self, seeds):
        """The seeds and all parts that they need: set of _Part."""
        found, waiting = set(), list(seeds)
        while waiting:
            part = waiting.pop()
            if part not in found:
                found.add(part)
                waiting += self._needs(part)
        return found

    def _needs(self, part):
        """The parts that a part asks for by name: of the module, of its own class, of an exercise's class."""
        names, asked = names_read(ast.unparse(part.node)), _asked(part.node, self.exercises)
        own = _read_by_class(part.node) if part.owner else set()
        for other in self.parts:
            if other.owner is None:
                if other.names & names or (part.owner and other is self.headers[part.owner]):
                    yield other
            elif other.owner == part.owner and other.names & own:
                yield other
            elif any(
                other.names & members and self._related(part.owner if name == "self" else name, other.owner)
                for name, members in asked.items()
            ):
                yield other

    def _related(self, one, other):
        """Whether one class is the other, or derived from it: an object of it may have members of both."""
        return one in self.ancestors(other) or other in self.ancestors(one)

    def text(self, kept):
        """Source of a module of the kept parts."""
        imported = {}
        for part in self.parts:
            if part in kept and part.statement:
                imported.setdefault(part.statement, []).extend(part.node.names)
        blocks = []
        for part in self.parts:
            if part not in kept or part.owner:
                continue
            if part.statement:
                if names := imported.pop(part.statement, None):  # all names at the place of the first
                    blocks.append((part.node, ast.unparse(_import(part.statement, names)) + "\n"))
            elif part in self.headers.values():
                blocks.append((part.node, self._class(part, kept)))
            else:
                blocks.append((part.node, self._segment(part.node)))
        return _joined(blocks, "\n\n")

    def _class(self, header, kept):
        """Source of an exercise's class with the kept members."""
        members = [part.node for part in self.parts if part in kept and part.owner == header.node.name]
        body = _joined([(node, self._segment(node)) for node in members], "\n")
        return ast.unparse(header.node).removesuffix("pass").rstrip(" ") + (body or "    pass\n")

    def _segment(self, node):
        """The statement as it is written, with its decorators and its indentation."""
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
        return "\n".join(self._lines[first - 1 : node.end_lineno]) + "\n"


def _joined(blocks, apart):
    """Texts of statements in a row: functions and classes `apart`, imports and the first assignment by a line."""
    text, previous = "", None
    for node, written in blocks:
        if previous is not None and (_named(node) or _named(previous)):
            text += apart
        elif previous is not None and _is_import(previous) and not _is_import(node):
            text += "\n"
        text, previous = text + written, node
    return text


def _imports(node):
    """A part for each name of an import."""
    for alias in node.names:
        if alias.name == "*":
            raise CourseError(f"line {node.lineno}: a check module names what it imports, got {ast.unparse(node)}")
        yield _Part(_import(node, [alias]), frozenset(_bound(_import(node, [alias]))), None, node)


def _import(node, names):
    """The import with these names alone."""
    return ast.ImportFrom(node.module, names, node.level) if isinstance(node, ast.ImportFrom) else ast.Import(names)


def _is_import(node):
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _bound(node):
    """Names that a statement binds where it stands, or changes an item or attribute of."""
    names = names_bound(ast.unparse(node))
    for n in ast.walk(node) if not _named(node) else ():
        if isinstance(n, (ast.Subscript, ast.Attribute)) and isinstance(n.ctx, ast.Store):
            while isinstance(n, (ast.Subscript, ast.Attribute)):
                n = n.value
            names |= {n.id} if isinstance(n, ast.Name) else set()
    return names


def _read_by_class(node):
    """Names that a class's member reads while the class is made: of a function its decorators and defaults."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        given = [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]
    else:
        given = [node]
    return {n.id for part in given for n in ast.walk(part) if isinstance(n, ast.Name)}


def _asked(node, classes):
    """Members that a statement asks for.

    Returns
    -------
    dict of str to set of str
        Class -> names, for ``Class.name`` and ``Class().name``; ``"self"`` stands for the class that the statement is
        in: ``self.name``, ``cls.name``, ``type(self).name``, ``super().name``.
    """
    asked = {}
    for n in ast.walk(node):
        if isinstance(n, ast.Attribute):
            of = _last_name(n.value)
            if of in ("self", "cls", "type", "super", "__class__"):
                asked.setdefault("self", set()).add(n.attr)
            elif of in classes:
                asked.setdefault(of, set()).add(n.attr)
    return asked


def _last_name(node):
    """``c`` of ``a.b.c`` and of ``a.b.c(...)``; None of anything else."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return getattr(node, "attr", None) or getattr(node, "id", None)


def _header(node):
    """A class without its body."""
    return ast.ClassDef(node.name, node.bases, node.keywords, [ast.Pass()], node.decorator_list, **_type_parameters)


_type_parameters = {"type_params": []} if "type_params" in ast.ClassDef._fields else {}  # since Python 3.12


def _named(node):
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _is_id(part):
    return part.names == {"id"} and isinstance(getattr(part.node, "value", None), ast.Constant)


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _subtest(node):
    """The call ``subtest(...)`` that decorates a method, or None."""
    calls = (d for d in getattr(node, "decorator_list", ()) if isinstance(d, ast.Call))
    return next((call for call in calls if _last_name(call.func) == "subtest"), None)


def _is_hidden(part):
    call = _subtest(part.node)
    if call is None:
        return False
    given = [keyword.value for keyword in call.keywords if keyword.arg == "hidden"] + call.args[2:3]
    if given and not (isinstance(given[0], ast.Constant) and isinstance(given[0].value, bool)):
        raise CourseError(f"{part.owner}: hidden is spelt out as True or False, got {ast.unparse(given[0])}")
    return bool(given) and given[0].value
