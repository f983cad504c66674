"""Start a lab: packages, device, seed, figure style; and show a student's progress.

The top of this module imports the standard library alone, so that it loads on a machine where packages are missing.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from utils.files import ROOT

# Packages that a student's notebook imports: name to import -> name to install.
PACKAGES = {
    "astropy": "astropy",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "packaging": "packaging",
    "pooch": "pooch",
    "psutil": "psutil",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tqdm": "tqdm",
}

number = None  # of the lab that was started, e.g. "03"
seed = 0  # of everything random in the lab; from COURSE_SEED
device = None  # that Keras trains on, in words


def start(lab):
    """Prepare the notebook for a lab and print one line: versions, device, seed.

    Installs what is missing on Colab (and upgrades nothing), takes the GPU where there is one, seeds Keras, NumPy and
    Python, sets the style of the figures.

    Parameters
    ----------
    lab : str
        Two digits, e.g. ``"03"``.

    Raises
    ------
    ModuleNotFoundError
        Outside Colab, when a package is missing; the text says how to install it.
    ValueError
        When COURSE_SEED is not a whole number from 0 to 2**32 - 1.
    """
    global number, seed, device
    seed = _course_seed()
    install_missing()
    keras = _import_keras_quietly()
    with hidden_stderr():
        device = _use_device(keras.backend.backend())
    keras.utils.set_random_seed(seed)

    from utils import plotting, stopped

    plotting.use_style()
    stopped.explain_missing_names()
    number = lab
    print(
        f"Lab {lab} · Python {platform.python_version()} · Keras {keras.__version__} on {_backend_version(keras)}"
        f" · {device} · seed {seed}"
    )


def progress():
    """Print which exercises of the started lab are done, and the points they have earned."""
    from utils import checks

    if number is None:
        raise RuntimeError('no lab has been started: run the set-up cell, which calls lab.start("NN")')
    checks.progress(number)


def overview():
    """Print the map of the course: each lab's question, minutes of work, and how far you are."""
    from utils.checks.notebook import done

    for path in sorted((ROOT / "labs").glob("[0-9][0-9]_*.ipynb")):
        header = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        title, question, minutes = read_header(header)
        print(f"{title} ({minutes} minutes of work): {done(path.name[:2])}")
        print(f"    {question}")


def read_header(text):
    """Title, question and minutes of work, from the first cell of a lab.

    Examples
    --------
    >>> read_header("# 03 · A first CNN\\n\\n**Question:** Why?\\n\\n**Time:** 90 minutes of work, 2 minutes of CPU")
    ('03 · A first CNN', 'Why?', 90)
    """
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    question = re.search(r"\*\*Question:\*\* (.+?)(?:\n\n|$)", text, re.DOTALL)
    minutes = re.search(r"\*\*Time:\*\* (\d+) minutes of work", text)
    if not (title and question and minutes):
        raise ValueError(
            "a lab's header has `# NN · title`, `**Question:** …` and `**Time:** N minutes of work, …`, "
            f"got {text[:80]!r}"
        )
    return title[1], " ".join(question[1].split()), int(minutes[1])


def missing_packages():
    """Names, as pip writes them, of the packages that labs need and this Python does not have."""
    needed = dict(PACKAGES)
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        needed["tensorflow"] = "tensorflow"
    return [package for module, package in needed.items() if importlib.util.find_spec(module) is None]


def install_missing():
    """On Colab, install the packages that are missing and leave every installed one at its version."""
    missing = missing_packages()
    if not missing:
        return
    if "COLAB_RELEASE_TAG" not in os.environ:  # set on every Colab machine
        raise ModuleNotFoundError(
            f"missing: {', '.join(missing)}. Install the course's packages with `pip install -r requirements.txt`, "
            "in the environment that this notebook runs in, and restart the kernel."
        )
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "installed.txt"
        constraints.write_text(installed_versions(), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), *missing]
        subprocess.run(command, check=True)
    importlib.invalidate_caches()
    print(f"installed {', '.join(missing)}")


def installed_versions():
    """The installed packages as pip constraints, one ``name==version`` a line."""
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()) if "+" not in version)


def _course_seed():
    text = os.environ.get("COURSE_SEED", "0")
    if not text.isdecimal() or int(text) >= 2**32:
        raise ValueError(f"COURSE_SEED must be a whole number from 0 to 4294967295, got {text!r}")
    return int(text)


def _import_keras_quietly():
    """Import Keras without TensorFlow's start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "KERAS_BACKEND" not in os.environ and importlib.util.find_spec("tensorflow") is not None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    with hidden_stderr():
        import keras

    return keras


@contextlib.contextmanager
def hidden_stderr():
    """Hold back what compiled code writes to the error stream; show it when the block fails."""
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _use_device(backend):
    """Let the back end take the GPU as it needs memory; returns the device in words."""
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        try:
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # the GPU is in use already: the set-up cell ran before
            pass
        name = gpus and tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    elif backend == "jax":
        import jax

        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        name = next((d.device_kind for d in jax.devices() if d.platform == "gpu"), None)
    else:
        import torch

        name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return f"GPU {name}" if name else f"CPU, {os.cpu_count()} cores"


def _backend_version(keras):
    name = keras.backend.backend()
    title = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}[name]
    return f"{title} {importlib.import_module(name).__version__}"
