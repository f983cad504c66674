"""Is this machine fit for the course? :func:`report` says so, line by line, and what to do about what is not."""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile

import psutil
from packaging.requirements import Requirement

from utils import lab
from utils.files import ROOT

NEEDED_MEMORY = 4  # GB, what the largest lab takes
NEEDED_DISK = 2  # GB, for simulated data


def report():
    """Print one line for each thing that the labs need: ✔, or ✘ with the way to mend it."""
    for ok, found, remedy in (_python(), *_packages(), _memory(), _disk(), _device()):
        print(f"{'✔' if ok else '✘'} {found}")
        if not ok:
            print(f"    {remedy}")


def _python():
    remedy = "Install Python 3.11, 3.12 or 3.13, delete the folder .venv, and run `make lab` again."
    return sys.version_info >= (3, 11), f"Python {platform.python_version()}", remedy


def _packages():
    """One line for all packages that fit, and one for each that does not."""
    ranges = _ranges((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    names = [*lab.PACKAGES.values(), *(["tensorflow"] if _backend() == "tensorflow" else [])]
    fitting, lines = [], []
    for name in sorted(names):
        version = installed_version(name)
        if version is not None and ranges[name].contains(version, prereleases=True):
            fitting.append(f"{name} {version}")
        else:
            found = f"{name} is missing" if version is None else f"{name} {version} is not in the range {ranges[name]}"
            lines.append(
                (False, found, "Run `pip install -r requirements.txt` in this environment, restart the kernel.")
            )
    return [(True, ", ".join(fitting), ""), *lines]


def _ranges(requirements):
    """Package -> versions that a requirements file admits."""
    lines = (line.split("#")[0].strip() for line in requirements.splitlines())
    parsed = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {requirement.name: requirement.specifier for requirement in parsed}


def installed_version(name):
    """Version of an installed package; None where it is missing."""
    for candidate in (name, f"{name}-cpu"):  # TensorFlow has a build without GPU support under a name of its own
        try:
            return importlib.metadata.version(candidate)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _memory():
    free, total = (value / 1e9 for value in (psutil.virtual_memory().available, psutil.virtual_memory().total))
    remedy = f"The largest lab takes {NEEDED_MEMORY} GB: close other programs, or open the labs in Colab."
    return free >= NEEDED_MEMORY, f"{free:.0f} GB of memory free of {total:.0f} GB", remedy


def _disk():
    from utils.datasets import cache_folder

    free = shutil.disk_usage(cache_folder() or tempfile.gettempdir()).free / 1e9
    remedy = "Make room, or name another folder for simulated data in the environment variable COURSE_CACHE."
    return free >= NEEDED_DISK, f"{free:.0f} GB of disk free for simulated data", remedy


def _device():
    return True, f"training runs on: {lab.device} (no lab needs a GPU)", ""


def _backend():
    return os.environ.get("KERAS_BACKEND", "tensorflow")
