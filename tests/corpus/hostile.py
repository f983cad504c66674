"""Hand-ins that attack: for points, or to bring the grading down. Run them in a sandbox alone.

Each is bounded, should a protection fail: at most 200 processes, 2 GB on the disk, 8 GB of memory, two minutes. What
would reach beyond the grading's own processes looks first whether it is in a sandbox, and does nothing where it is not.
The attacks themselves are in :mod:`tests.corpus.attacks`.
"""

import base64
import hashlib
import inspect
import pickle
import zlib

import numpy as np

from tests.corpus.attacks import ATTACKS, OF_LAB, RIGHT, Attack
from tests.corpus.handin import Expected, HandIn
from tests.corpus.notebooks import to_bytes
from tests.corpus.points import points
from utils.checks.exercise import find
from utils.course.names import names_bound
from utils.files import ROOT


def hostile(handout, folder):
    """The hostile hand-ins of a class: list of HandIn.

    Parameters
    ----------
    handout : Handout
    folder : pathlib.Path
        Of the class: some attacks look there for what others have handed in.
    """
    marks = points(handout.lab.number)
    # Tried, so that they are run; open ones would be passed over, and no attack could do anything for them.
    worthless = {exercise: handout.filled(exercise, "return None") for exercise in handout.exercises}
    worth = {exercise: marks.of(exercise, source) for exercise, source in worthless.items()}
    found = []
    for attack in [*ATTACKS, *OF_LAB.get(handout.lab.number, ()), _hard_coded(handout, marks)]:
        exercise = handout.exercises[attack.place]
        own = marks.full[exercise] if attack.body == RIGHT else 0
        if attack.worth is not None:
            own = marks.of(exercise, handout.filled(exercise, attack.worth))
        others = dict(marks.full if attack.solved else worth)
        if attack.claims:
            claimed = {e: marks.of(e, handout.filled(e, attack.claims)) for e in handout.exercises}
            own, others = max(own, claimed[exercise]), claimed
        del others[exercise]
        exact = dict(others) if attack.spares_others or not attack.solved else {}
        if attack.keeps or own == 0:
            exact[exercise] = own
        changes = {} if attack.solved else worthless
        notebook = handout.solved(changes | {exercise: _source(handout, exercise, attack, folder)})
        total = own + sum(others.values())
        expected = Expected(attack.name, "hostile", attack.what, True, None, total, exact, attack.sandbox, attack.slow)
        found.append(HandIn(expected, {handout.file_name: to_bytes(notebook)}))
    return found


def _source(handout, exercise, attack, folder):
    """The cell of an attack."""
    names = sorted(names_bound(handout.stubs[exercise]))
    top = _HEAD.format(exercise=exercise, folder=str(folder), root=str(ROOT), names=names) + attack.top
    if attack.body == RIGHT:
        first, _, rest = handout.solutions[exercise].partition("\n")
        return f"{first}\n{top}\n{rest}"
    return handout.filled(exercise, attack.body or f'raise NotImplementedError("Exercise {exercise}")', top)


# What the code of an attack may use.
_HEAD = '''\
EXERCISE, NAMES, CLASS, COURSE = {exercise!r}, {names}, {folder!r}, {root!r}
def in_sandbox():
    """Whether no more than a sandbox's few processes can be seen from here."""
    import os
    return os.path.isdir("/proc") and len([name for name in os.listdir("/proc") if name.isdigit()]) < 25
'''


def _hard_coded(handout, marks):
    """An answer that knows the cases of the notebook's own check, and what the solution makes of them."""
    place, exercise = next((i, e) for i, e in enumerate(handout.exercises) if len(names_bound(handout.stubs[e])) == 1)
    (name,) = names_bound(handout.stubs[exercise])
    solution, known = marks.namespace[name], {}

    def watch(*args, **kwargs):
        bound = inspect.signature(solution).bind(*args, **kwargs)
        bound.apply_defaults()
        value = solution(*args, **kwargs)
        known[_key(bound.arguments)] = value
        return value

    check = find(exercise)
    check.observe(watch, check.inputs(check.default_rng()))
    table = base64.b64encode(zlib.compress(pickle.dumps(known), 9)).decode()
    top = f"import base64, hashlib, pickle, zlib\nimport numpy as np\n{inspect.getsource(_key)}\n"
    top += f'TABLE = pickle.loads(zlib.decompress(base64.b64decode("{table}")))'
    given = ", ".join(f"{argument}={argument}" for argument in inspect.signature(solution).parameters)
    body = f"return TABLE[_key(dict({given}))]"
    honest = "\n".join([top, body])  # what it knows by heart it may keep
    return Attack("hard-coded", "knows the notebook's own cases by heart", top, body, False, worth=honest, place=place)


def _key(arguments):
    plain = {
        name: (value.shape, str(value.dtype), value.tobytes()) if isinstance(value, np.ndarray) else repr(value)
        for name, value in arguments.items()
    }
    return hashlib.sha256(repr(sorted(plain.items())).encode()).hexdigest()
