"""What a grade depends on besides the submission: the course's own files, the packages, the machine."""

import ast
import functools
import hashlib
import json
import os
import platform
import re
from pathlib import Path

from utils.course.errors import CourseError
from utils.environment import installed_version

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "astropy",
    "matplotlib",
    "nbval",
    "pytest",
    "ipykernel",
    "ipython",
    "jupyter_client",
)
GRADER = "utils.course.grading.grader"


def digest(value):
    """A short fingerprint of plain data: 16 hexadecimal digits.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}), len(digest(None))
    (True, 16)
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def course_version(root, lab):
    """Fingerprint of all files of the course that a grade in this lab depends on.

    These are the code and the checked outputs of the lab's notebooks, its checks, the helpers, and what grades.
    Prose, figures and other labs are left out: to change them grades nobody again.

    Parameters
    ----------
    root : pathlib.Path
        The course.
    lab : str
        Two digits.
    """
    root = Path(root)
    parts, code = {}, []
    for folder in ("solutions", "labs"):
        cells = _notebook(lab_notebook(root, folder, lab))["cells"]
        parts[folder] = [_code(cell) for cell in cells if cell.get("cell_type") == "code"]
        code += ["".join(cell.get("source", "")) for cell in cells if cell.get("cell_type") == "code"]
    for path in used_files(root, [GRADER, f"utils.checks.lab{lab}"], code):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        parts[path.relative_to(root).as_posix()] = hashlib.sha256(text).hexdigest()
    return digest(parts)


def used_files(root, modules, sources=()):
    """Files of the package ``utils`` that some modules and pieces of code import, directly or not, sorted.

    A text such as ``"utils.course.grading.plugin"`` or ``"zygote.py"`` in a program counts as an import: what is
    started as a program of its own is named that way.

    Parameters
    ----------
    root : pathlib.Path
    modules : sequence of str
        Dotted names; those that do not exist are passed over.
    sources : sequence of str
        Cells of a notebook.
    """
    waiting = [*modules, *(name for source in sources for name in _imports(source))]
    found = set()
    while waiting:
        path = _file(root, waiting.pop())
        if path is None or path in found:
            continue
        found.add(path)
        folder = path.parent.relative_to(root).parts
        names = set(_imports(path.read_text(encoding="utf-8")))
        names |= {".".join((*folder, name[:-3])) for name in names if name.endswith(".py")}
        names |= {".".join(folder[:depth]) for depth in range(1, len(folder) + 1)}  # the packages around it
        waiting += names
    return sorted(found)


def _file(root, name):
    """The file of a module or package; None where there is none."""
    if not name.startswith("utils"):
        return None
    path = root.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@functools.lru_cache(1000)
def _imports(source):
    """Names that a piece of code may import: modules, what is taken from them, and texts that look like either."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a cell with magics
        return set(re.findall(r"\butils(?:\.\w+)*", source))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"utils(?:\.\w+)+|\w+\.py", node.value):
                names.add(node.value)
    return names


def lab_notebook(root, folder, lab):
    """The path of the lab's notebook in ``labs`` or ``solutions``; a CourseError where it is missing."""
    found = sorted((Path(root) / folder).glob(f"{lab}_*.ipynb"))
    if not found:
        raise CourseError(f"there is no notebook {folder}/{lab}_*.ipynb: is it lab {lab} that you mean?")
    return found[0]


def _notebook(path):
    try:
        notebook = json.loads(path.read_bytes())
        return notebook | {"cells": list(notebook["cells"])}
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(f"{path.parent.name}/{path.name} is no notebook ({error}): build it anew") from None


def _code(cell):
    metadata = cell.get("metadata", {})
    checked = "nbval-check-output" in metadata.get("tags", ())
    return [cell.get("id"), metadata, cell.get("source"), cell.get("outputs") if checked else None]


def packages():
    """Version of each package that a verdict may hang on, and of Python and the backend of Keras: name -> text."""
    found = {name: installed_version(name) or "missing" for name in PACKAGES}
    python = ".".join(platform.python_version_tuple()[:2])
    return found | {"python": python, "keras backend": os.environ.get("KERAS_BACKEND", "tensorflow")}


def differences(there, here):
    """Two dictionaries of versions compared, in words; empty where they agree.

    Examples
    --------
    >>> differences({"numpy": "2.1"}, {"numpy": "2.4"})
    'numpy 2.1 there, 2.4 here'
    """
    names = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    return ", ".join(f"{name} {there.get(name, 'missing')} there, {here.get(name, 'missing')} here" for name in names)


def machine():
    """What of this machine a computed number or its speed may hang on: name -> text.

    The name of the machine is not part of it: the nodes of a cluster that are alike share one calibration.
    """
    model, flags = _processor()
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": model,
        "instructions": flags,
        "cores": str(cores()),
    }


def _processor():
    """Model of the processor, and a fingerprint of the instructions that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor(), ""
    facts = {}
    for line in lines:
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    flags = facts.get("flags", facts.get("Features", ""))
    return facts.get("model name", platform.processor()), digest(sorted(flags.split()))


def cores():
    """Processor cores that this process may use, a container's share counted."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        count = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no container, or no limit ("max")
        pass
    return count


def memory():
    """Bytes of memory that this machine has, or the container that we are in."""
    import psutil

    total = psutil.virtual_memory().total
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return total


def fingerprint():
    """Fingerprint of this machine and its packages: 16 hexadecimal digits."""
    return digest([machine(), packages()])
