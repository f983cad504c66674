"""What an answer uses, read from its source alone: nothing is run or imported.

Names are followed to where they come from, through aliases (``import a.b as c``, ``f = a.b.g``), attributes,
``getattr`` with a literal name, ``__import__`` and ``importlib``, and through what the notebook has imported before.
Whoever wants to hide something from a reader of syntax trees can; this is for a person to look at, not a verdict.
"""

import ast
import builtins
import re
from dataclasses import dataclass

from utils.course.grading.syntax import NotPython, parse

_BUILTIN_NAMES = frozenset(dir(builtins))

# Modules that reach outside of an answer's own business: files, processes, the interpreter, the notebook.
MODULES = frozenset(
    "IPython __main__ ast asyncio atexit builtins cloudpickle code codecs codeop concurrent ctypes dill dis fcntl "
    "ftplib gc glob http imp importlib inspect io ipykernel joblib jupyter_client linecache marshal mmap "
    "multiprocessing nbformat os pathlib pdb pickle pkgutil platform posix psutil pty pytest requests resource runpy "
    "select shelve shutil signal site socket sqlite3 ssl subprocess sys sysconfig tempfile threading _thread traceback "
    "tracemalloc types unittest urllib weakref zipfile zipimport zmq".split()
)
_ANYWHERE = frozenset("builtins ctypes importlib os subprocess sys".split())  # also as attributes of other modules
BUILTINS = frozenset(
    "__build_class__ __import__ __loader__ __spec__ breakpoint compile delattr eval exec exit globals locals open quit "
    "setattr vars".split()
)
ATTRIBUTES = frozenset(
    "__base__ __bases__ __builtins__ __class__ __closure__ __code__ __defaults__ __dict__ __func__ __getattribute__ "
    "__globals__ __kwdefaults__ __loader__ __mro__ __reduce__ __reduce_ex__ __self__ __spec__ __subclasses__ "
    "__traceback__ __wrapped__ _getframe ag_frame cr_frame f_back f_builtins f_code f_globals f_locals gi_frame "
    "input_transformers_cleanup tb_frame tb_next user_ns".split()
)
METHODS = frozenset(
    "__array__ __array_function__ __array_ufunc__ __array_wrap__ __class_getitem__ __deepcopy__ __del__ __eq__ "
    "__getattr__ __getattribute__ __instancecheck__ __ne__ __reduce__ __reduce_ex__ __subclasscheck__".split()
)
FILES = (
    "numpy.load numpy.loadtxt numpy.genfromtxt numpy.fromfile numpy.memmap numpy.save numpy.savez numpy.savetxt "
    "numpy.lib.format numpy.ctypeslib keras.utils.get_file keras.models.load_model keras.saving skimage.io "
    "scipy.io matplotlib.pyplot.imread matplotlib.image"
).split()


@dataclass(frozen=True)
class Use:
    """Something that an answer uses: a kind (see :data:`flags.KINDS`), what it is, and its line in the cell, from 1."""

    kind: str
    what: str
    line: int


def imported_names(source):
    """Names that the imports of a cell bind: name -> dotted path. What is not Python binds nothing."""
    try:
        tree = parse(source).tree
    except NotPython:
        return {}
    names = {}
    for node in ast.walk(tree):
        for name, path in bound_by(node):
            names[name] = path
    return names


def bound_by(node):
    """(name, dotted path) of everything that an import statement binds; nothing for other nodes and for ``*``."""
    if isinstance(node, ast.Import):
        return [(a.asname, a.name) if a.asname else (a.name.split(".")[0],) * 2 for a in node.names]
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        return [(a.asname or a.name, f"{module}.{a.name}") for a in node.names if a.name != "*"]
    return []


def uses(source, imports="", forbidden=()):
    """What an answer uses that a person may want to look at.

    Parameters
    ----------
    source : str
        The student's cell.
    imports : str
        Source of the notebook's imports (and of its set-up cell): names that answers find there.
    forbidden : sequence of str
        Dotted paths of functions, classes or modules, such as ``"scipy.signal.convolve2d"``.

    Returns
    -------
    list of Use
        In order of the lines, each thing once a line.

    Examples
    --------
    >>> uses("from skimage import feature as f\\nh = getattr(f, 'hog')(image)", forbidden=["skimage.feature.hog"])
    [Use(kind='shortcut', what='skimage.feature.hog', line=2)]
    """
    known = imported_names(imports)
    try:
        _, tree, magics = parse(source)
    except NotPython as error:
        return [Use("unparsable", str(error), 1)]
    reader = _Reader(known, forbidden)
    reader.found = [Use("magic", magic, line) for line, magic in magics]
    try:
        reader.read(tree)
    except RecursionError:
        reader.found.append(Use("unparsable", "is nested too deep to be read", 1))
    return sorted(dict.fromkeys(reader.found), key=lambda use: (use.line, use.kind, use.what))


def public(path):
    """A dotted path without private modules: ``skimage.feature._hog.hog`` is ``skimage.feature.hog``."""
    parts = path.split(".")
    return ".".join(p for i, p in enumerate(parts) if not (0 < i < len(parts) - 1 and re.match(r"_[^_]", p)))


def _is_or_is_in(path, whole):
    return path == whole or path.startswith(whole + ".")


_NOTHING = frozenset()


class _Reader:
    """Walks over a cell, statement after statement, and keeps for each name what it may stand for."""

    def __init__(self, known, forbidden):
        self.known = {name: frozenset([path]) for name, path in known.items()}
        self.forbidden = tuple(forbidden)
        self.found = []
        self.starred = []  # modules of `from module import *`
        self.scopes = [dict(self.known)]
        self.certain = True  # False inside of if, for, while, try: what stood before may still hold
        self.later = [[]]  # bodies of functions, read when all of the scope around them is known

    # Scopes

    def read(self, tree):
        self.statements(tree.body)
        self.bodies()

    def bodies(self):
        while self.later[-1]:
            node, scopes = self.later[-1].pop(0)
            before, self.scopes, self.certain = self.scopes, [*scopes, {}], True
            for argument in _arguments(node.args):
                self.scopes[-1][argument] = _NOTHING
            if isinstance(node.body, list):
                for name in _assigned(node.body):
                    self.scopes[-1].setdefault(name, _NOTHING)
            self.later.append([])
            if isinstance(node.body, list):
                self.statements(node.body)
            else:
                self.expression(node.body)
            self.bodies()
            self.later.pop()
            self.scopes = before

    def look_up(self, name):
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name == "get_ipython":
            return frozenset(["IPython.get_ipython"])
        if name == "__builtins__":
            return frozenset(["builtins"])
        if name in _BUILTIN_NAMES:
            return frozenset([f"builtins.{name}"])
        return frozenset([name] if name in MODULES else [f"{module}.{name}" for module in self.starred])

    def bind(self, name, paths, line):
        scope = self.scopes[-1]
        if len(self.scopes) == 1 and name in self.known and paths != self.known[name]:
            self.add("patch", f"gives another meaning to `{name}`, which the notebook has imported", line)
        scope[name] = paths if self.certain else scope.get(name, _NOTHING) | paths

    # Statements

    def statements(self, body):
        for statement in body:
            self.statement(statement)

    def statement(self, node):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self.an_import(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name in METHODS:
                self.add("introspection", f"defines {node.name}", node.lineno)
            for part in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
                self.expression(part)
            self.bind(node.name, _NOTHING, node.lineno)
            self.later[-1].append((node, list(self.scopes)))
        elif isinstance(node, ast.ClassDef):
            for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
                self.expression(part)
            self.bind(node.name, _NOTHING, node.lineno)
            self.scopes.append({})
            self.statements(node.body)
            self.scopes.pop()
        elif isinstance(node, ast.Assign):
            paths = self.expression(node.value)
            for target in node.targets:
                self.target(target, paths, node.value)
        elif isinstance(node, ast.AnnAssign):
            self.target(node.target, self.expression(node.value) if node.value else _NOTHING, node.value)
        elif isinstance(node, ast.AugAssign):
            self.expression(node.value)
            self.target(node.target, _NOTHING, None)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self.target(target, _NOTHING, None)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self.expression(node.iter)
            self.target(node.target, _NOTHING, None)
            self.perhaps(node.body, node.orelse)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                paths = self.expression(item.context_expr)
                if item.optional_vars is not None:
                    self.target(item.optional_vars, paths, None)
            self.statements(node.body)
        else:
            self.other(node)

    def other(self, node):
        """if, while, try, match, return, raise and the rest: their expressions, then their blocks."""
        blocks = []
        for field, value in ast.iter_fields(node):
            items = value if isinstance(value, list) else [value]
            if items and isinstance(items[0], ast.stmt):
                blocks.append(items)
            for item in items:
                if isinstance(item, (ast.ExceptHandler, ast.match_case)):
                    blocks.append(item.body)
                    if getattr(item, "type", None) is not None:
                        self.expression(item.type)
                    if getattr(item, "guard", None) is not None:
                        self.expression(item.guard)
                elif isinstance(item, ast.expr) and field != "annotation":
                    self.expression(item)
        self.perhaps(*blocks)

    def perhaps(self, *blocks):
        before, self.certain = self.certain, False
        for block in blocks:
            self.statements(block)
        self.certain = before

    def an_import(self, node):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for module in modules:
            if module.split(".")[0] in MODULES:
                self.add("introspection", module, node.lineno)
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            self.starred.append(node.module or "")
            self.reference(f"{node.module}.*", node.lineno)
        for name, path in bound_by(node):
            self.bind(name, frozenset([path]), node.lineno)
            if not isinstance(node, ast.Import):
                self.reference(path, node.lineno, files=False)

    def target(self, node, paths, value):
        if isinstance(node, ast.Name):
            self.bind(node.id, paths, node.lineno)
        elif isinstance(node, (ast.Tuple, ast.List)):
            parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(node.elts) else ()
            for i, element in enumerate(node.elts):
                part = parts[i] if parts else None
                self.target(element, self.resolve(part) if part is not None else _NOTHING, part)
        elif isinstance(node, ast.Starred):
            self.target(node.value, _NOTHING, None)
        elif isinstance(node, ast.Attribute):
            for path in self.expression(node.value):
                self.add("patch", f"changes {path}.{node.attr}", node.lineno)
            self.attribute(node)
        elif isinstance(node, ast.Subscript):
            self.expression(node.value)
            self.expression(node.slice)

    # Expressions

    def expression(self, node):
        """Note what an expression refers to; returns what it may stand for."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            paths = self.resolve(node)
            for path in paths:
                self.reference(path, node.lineno)
            while isinstance(node, ast.Attribute):
                self.attribute(node)
                node = node.value
            if not isinstance(node, ast.Name):
                self.expression(node)
            return paths
        if isinstance(node, ast.Lambda):
            self.later[-1].append((node, list(self.scopes)))
            for part in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
                self.expression(part)
            return _NOTHING
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            self.scopes.append({})
            for generator in node.generators:
                self.expression(generator.iter)
                self.target(generator.target, _NOTHING, None)
                for condition in generator.ifs:
                    self.expression(condition)
            for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
                self.expression(part)
            self.scopes.pop()
            return _NOTHING
        if isinstance(node, ast.NamedExpr):
            paths = self.expression(node.value)
            self.target(node.target, paths, node.value)
            return paths
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expression(child)
            elif isinstance(child, (ast.keyword, ast.FormattedValue)):
                self.expression(child.value)
        paths = self.resolve(node)
        if isinstance(node, (ast.Call, ast.Subscript)):
            for path in paths:
                self.reference(path, node.lineno)
            self.computed(node)
        return paths

    def computed(self, node):
        """``getattr`` and its kin with a name that only exists when the code runs."""
        if isinstance(node, ast.Call) and "builtins.getattr" in self.resolve(node.func):
            if len(node.args) > 1 and _text(node.args[1]) is None:
                self.add("introspection", "getattr with a computed name", node.lineno)
            elif len(node.args) > 1 and _text(node.args[1]) in ATTRIBUTES:
                self.add("introspection", _text(node.args[1]), node.lineno)

    def resolve(self, node):
        """The dotted paths that an expression may stand for: frozenset of str, empty where it is something else."""
        if isinstance(node, ast.Name):
            return self.look_up(node.id)
        if isinstance(node, ast.Attribute):
            return self.member(self.resolve(node.value), node.attr)
        if isinstance(node, ast.IfExp):
            return self.resolve(node.body) | self.resolve(node.orelse)
        if isinstance(node, ast.BoolOp):
            return frozenset().union(*map(self.resolve, node.values))
        if isinstance(node, ast.NamedExpr):
            return self.resolve(node.value)
        if isinstance(node, ast.Subscript):
            return self.item(self.resolve(node.value), _text(node.slice))
        if isinstance(node, ast.Call):
            return self.call(node)
        return _NOTHING

    def call(self, node):
        function = self.resolve(node.func)
        texts = [_text(argument) for argument in node.args]
        if "builtins.getattr" in function and len(texts) > 1 and texts[1]:
            return self.member(self.resolve(node.args[0]), texts[1])
        if function & {"builtins.__import__", "importlib.__import__"} and texts and texts[0]:
            return frozenset([texts[0]] if len(node.args) > 3 or node.keywords else [texts[0].split(".")[0]])
        if "importlib.import_module" in function and texts and texts[0]:
            return frozenset([texts[0]])
        if "builtins.vars" in function and node.args:
            return self.member(self.resolve(node.args[0]), "__dict__")
        if function & {"builtins.globals", "builtins.locals", "builtins.vars"}:
            return frozenset(["globals()"])
        if isinstance(node.func, ast.Call) and "operator.attrgetter" in self.resolve(node.func.func) and node.args:
            name = _text(node.func.args[0]) if node.func.args else None
            return self.member(self.resolve(node.args[0]), name) if name else _NOTHING
        return _NOTHING

    def item(self, paths, key):
        if not key:
            return _NOTHING
        found = set()
        for path in paths:
            if path == "globals()":
                found |= self.look_up(key)
            elif path == "sys.modules":
                found.add(key)
            elif path == "builtins":
                found.add(f"builtins.{key}")
            elif path.endswith(".__dict__"):
                found.add(f"{path.removesuffix('.__dict__')}.{key}")
        return frozenset(found)

    def member(self, paths, name):
        return frozenset(f"{path}.{name}" for path in paths)

    # What is noted

    def add(self, kind, what, line):
        self.found.append(Use(kind, what, line))

    def attribute(self, node):
        if node.attr in ATTRIBUTES:
            self.add("introspection", node.attr, node.lineno)

    def reference(self, path, line, files=True):
        """Note a path that stands for something outside the answer."""
        path = public(path)
        root, _, rest = path.partition(".")
        for whole in self.forbidden:
            if _is_or_is_in(path, whole) or (path.endswith(".*") and _is_or_is_in(whole, path[:-2])):
                if not path.endswith(".*"):
                    self.add("shortcut", whole, line)
        if root == "builtins":
            if rest.split(".")[0] in BUILTINS:
                self.add("introspection", rest, line)
            elif not rest:
                self.add("introspection", "builtins", line)
        elif root in MODULES or _ANYWHERE & set(rest.split(".")):
            self.add("introspection", path, line)
        elif _is_or_is_in(path, "utils.checks"):
            name = path.removeprefix("utils.checks").lstrip(".") or "utils.checks"
            self.add("reference", f"{name}()" if name in {"reference", "solution", "check", "hint"} else path, line)
        elif path.startswith("utils.course") or path.startswith("utils.stopped"):
            self.add("reference", path, line)
        elif files and any(_is_or_is_in(path, file) for file in FILES):
            self.add("introspection", path, line)


def _text(node):
    """A literal text, also where it is joined from literal texts; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None or len(left) + len(right) > 1000 else left + right
    if isinstance(node, ast.JoinedStr):
        parts = [_text(part) for part in node.values]
        return None if None in parts else "".join(parts)
    return None


def _arguments(arguments):
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    return [argument.arg for argument in named if argument is not None]


def _assigned(body):
    """Names that a function's body assigns, without those of functions inside it and those declared global."""
    names, outside, stack = set(), set(), list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            outside.update(node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        elif isinstance(node, ast.Lambda):
            continue
        names.update(name for name, _ in bound_by(node))
        stack.extend(ast.iter_child_nodes(node))
    return names - outside
