"""What nbval needs to run a notebook that may be hostile: a pytest plugin around a kernel that someone else owns.

nbval collects the cells, runs them and keeps their outputs. This plugin mends what it gets wrong there:

- it reads outputs while a cell runs, so that a flood of them loses no message, and keeps only so much of them;
- each cell has a deadline of its own, and a cell behind one that passed it counts like any other;
- cells are named by their ids;
- the notebook's file is removed before its first cell runs.

It tells the grader before and after each cell, as lines of JSON, and does what it is told: run the cell or not, run
something behind it. The grader owns the kernel: it sees at once when that has died, and then ends this process.
"""

import json
import os
import re
import sys
import time
from multiprocessing.connection import Client
from queue import Empty

import nbval.plugin as nbval_plugin
import pytest
import zmq
from jupyter_client import BlockingKernelClient

try:
    import resource
except ImportError:  # on Windows
    resource = None

TEXT = 20_000  # characters of text that a cell's outputs may have
IMAGES = 8  # pictures of a cell
IMAGE = 400_000  # characters of a picture in base64
MEMORY = 3_000_000_000  # bytes that this process may have
PATIENCE = 5.0  # seconds for an interrupted cell to end, and for a last message to come
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class KernelGone(Exception):
    """The kernel did not start, or cannot be interrupted."""


class BorrowedKernel:
    """In the place of nbval's ``RunningKernel``: a client of a kernel that runs already.

    Parameters
    ----------
    connection_file : str
        As Jupyter writes it.
    startup : float
        Seconds to wait for the kernel.
    """

    language = "python"

    def __init__(self, connection_file, startup=60):
        self.seconds = 60.0  # for the next cell
        self.timed_out = False
        self._messages, self._kept = [], Kept()
        self.client = BlockingKernelClient(connection_file=connection_file)
        self.client.load_connection_file()
        self.client.start_channels(stdin=False, hb=False)
        self._wait_until_ready(time.monotonic() + startup)

    def _wait_until_ready(self, deadline):
        """The end of a request's outputs has been seen: from here on none can be missed."""
        while True:
            try:
                if self._follow(self.client.kernel_info(), deadline, patience=0.2):
                    return
            except Empty:
                raise KernelGone("the kernel did not start") from None

    def execute_cell_input(self, source, allow_stdin=None):
        return self.client.execute(source, store_history=False, allow_stdin=False, stop_on_error=False)

    def await_reply(self, message_id, timeout=None):
        """Read until the cell has ended; raises Empty at its deadline."""
        self._messages, self._kept, self.timed_out = [], Kept(), False
        self._follow(message_id, time.monotonic() + self.seconds)

    def get_message(self, stream, timeout=None):
        """The next of the messages kept of the cell that has run, as nbval asks for them."""
        if not self._messages:
            raise Empty
        return self._messages.pop(0)

    def await_idle(self, message_id, timeout):
        """Behind an error: what is left of the cell's messages is of no use."""
        self._messages.clear()

    def interrupt(self):
        """Interrupt the cell through the control channel, and read on until it has ended."""
        self.timed_out = True
        message = self.client.session.msg("interrupt_request", {})
        self.client.control_channel.send(message)
        try:
            self._follow(self._running, time.monotonic() + PATIENCE)
        except Empty:
            raise KernelGone("the cell ran on when it was interrupted") from None

    def run(self, source, seconds):
        """Run `source` for the grader; its outputs are not kept."""
        message_id = self.execute_cell_input(source)
        kept, self._messages, self._kept = self._messages, [], Kept()
        try:
            self._follow(message_id, time.monotonic() + seconds)
        except Empty:
            raise KernelGone("the kernel does not answer") from None
        finally:
            self._messages = kept

    def is_alive(self):
        return True

    def stop(self):
        """Leave the kernel to its owner."""
        self.client.stop_channels()

    def _follow(self, message_id, deadline, patience=PATIENCE):
        """Read both channels until the reply and the end of the outputs are there; False where the end was lost."""
        self._running = message_id
        shell, outputs = self.client.shell_channel, self.client.iopub_channel
        poller = zmq.Poller()
        for source in (shell.socket, outputs.socket):
            poller.register(source, zmq.POLLIN)
        replied = idle = None
        while not (replied and idle):
            now = time.monotonic()
            if replied and now > replied + patience:
                self._messages.append(_idle(message_id))
                return False
            if not replied and now > deadline:
                raise Empty
            ready = dict(poller.poll(50))
            try:
                if outputs.socket in ready:
                    message = outputs.get_msg(timeout=0)
                    if message["parent_header"].get("msg_id") == message_id:
                        idle = idle or message["content"].get("execution_state") == "idle"
                        if kept := self._kept.keep(message):
                            self._messages.append(kept)
                if shell.socket in ready:
                    message = shell.get_msg(timeout=0)
                    if message["parent_header"].get("msg_id") == message_id:
                        replied = time.monotonic()
            except (KeyError, TypeError, AttributeError, ValueError):  # a message that no honest kernel sends
                continue
        return True


def _idle(message_id):
    return {
        "msg_type": "status",
        "parent_header": {"msg_id": message_id},
        "content": {"execution_state": "idle"},
    }


class Kept:
    """What is kept of one cell's messages: so much text and so many pictures, and the states."""

    def __init__(self):
        self.text, self.images, self.errors, self.left_out = 0, 0, 0, False

    def keep(self, message):
        """`message`, shortened, or None where it is left out."""
        kind, content = message["msg_type"], message["content"]
        if kind == "status":
            return message
        if kind == "error":
            self.errors += 1
            return message if self.errors == 1 else None
        if kind == "stream":
            text = self._shortened(content.get("text", ""))
            return message | {"content": {"name": str(content.get("name", "stdout")), "text": text}} if text else None
        if kind in ("display_data", "execute_result"):
            data = content.get("data", {})
            kept = {}
            for mime in ("image/png", "image/jpeg"):
                picture = data.get(mime)
                if isinstance(picture, str) and len(picture) <= IMAGE and self.images < IMAGES:
                    self.images += 1
                    kept[mime] = picture
                    break
            else:
                if text := self._shortened(str(data.get("text/plain", ""))):
                    kept["text/plain"] = text
            if not kept:
                return None
            shortened = {"data": kept, "metadata": {}, "execution_count": None}
            return message | {"content": shortened}
        return None

    def _shortened(self, text):
        room = TEXT - self.text
        if len(text) <= room:
            self.text += len(text)
            return text
        self.text = TEXT
        if self.left_out:
            return ""
        self.left_out = True
        return text[:room] + "\n… (more was printed and is left out)\n"


class Plugin:
    """The hooks. It speaks with the grader over `channel`."""

    def __init__(self, connection_file, channel, path):
        self.connection_file, self.channel, self.path = connection_file, channel, path
        self.kernel = None

    def tell(self, **what):
        self.channel.send_bytes(json.dumps(what).encode())

    def ask(self, **what):
        """Send, and wait for the answer."""
        self.tell(**what)
        return json.loads(self.channel.recv_bytes())

    def borrow(self, *args, **kwargs):
        """In the place of the class ``RunningKernel``."""
        self.kernel = BorrowedKernel(self.connection_file)
        return self.kernel

    def pytest_collection_modifyitems(self, items):
        for item in items:
            item.name = item.cell["id"]
            item._nodeid = f"{item.parent.nodeid}::{item.name}"

    def pytest_collection_finish(self):
        os.unlink(self.path)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        item.parent.timed_out = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        state, error, failure, start = "ok", "", None, time.monotonic()
        try:
            order = self.ask(event="before", id=item.name)
            if order["run"]:
                self.kernel.seconds = order["seconds"]
                try:
                    yield
                except KernelGone:
                    raise
                except BaseException as caught:
                    failure = caught
                    state = "timeout" if self.kernel.timed_out else "error"
                    error = _ANSI.sub("", getattr(caught, "inner_traceback", None) or str(caught))
            else:
                state, failure = "skipped", pytest.skip.Exception("not to be run")
            seconds = round(time.monotonic() - start, 3)
            report = {"state": state, "seconds": seconds, "error": error[-4000:], "outputs": outputs_of(item)}
            answer = self.ask(event="after", id=item.name, **report)
            if answer.get("inject"):
                self.kernel.run(answer["inject"], answer["seconds"])
        except KernelGone as gone:
            self.tell(event="gone", id=item.name, reason=str(gone))
            pytest.exit(str(gone), returncode=0)
        if failure:
            raise failure


def outputs_of(item):
    """The cell's outputs as a notebook stores them, without the error, which is reported by itself."""
    found = []
    for output in item.test_outputs or ():
        output = dict(output)
        if output["output_type"] in ("stream", "display_data", "execute_result"):
            output.pop("execution_count", None)
            found.append(output)
    return found


def main(path, connection_file, address, key):
    """Run the notebook `path` in the kernel of `connection_file`, led by the grader at `address`.

    Parameters
    ----------
    path : str
        The notebook; removed once it has been read.
    connection_file : str
        Of the kernel.
    address : str or list
        Where the grader listens.
    key : str
        What proves to the grader who calls, in hexadecimal.
    """
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if resource:  # a flood of outputs ends this process rather than the machine
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with Client(tuple(address) if isinstance(address, list) else address, authkey=bytes.fromhex(key)) as channel:
        plugin = Plugin(connection_file, channel, path)
        nbval_plugin.RunningKernel = plugin.borrow
        arguments = ["-p", "nbval.plugin", "--nbval-lax", "-p", "no:cacheprovider", "-q", "--color=no"]
        arguments += ["-c", os.devnull, "--rootdir", os.path.dirname(path), path]
        status = int(pytest.main(arguments, plugins=[plugin]))
        plugin.tell(event="end", status=status)
    return status


if __name__ == "__main__":
    main(**json.loads(sys.stdin.readline()))
