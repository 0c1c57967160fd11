"""The interactive page in a browser: drawing, loading, wishing, refining; and that nobody else is told."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from browser import CHROMIUM, page

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="the extra app is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
# The command as a user gives it, and a list of all hosts that it asks for.
COMMAND = """
import sys

hosts = open(sys.argv.pop(1), "a", buffering=1)

def listen(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        place = arguments[1] if event == "socket.connect" else arguments
        print(place[0], file=hosts)

sys.addaudithook(listen)
from topoprior.cli import main
main()
"""


def interruptible():
    """Take Ctrl-C as in a terminal: what a shell starts in the background ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def command(folder):
    """``topoprior app`` in a process of its own, whose temporary files lie in a folder, and its address."""
    (folder / "files").mkdir()
    words = [sys.executable, "-c", COMMAND, folder / "hosts", "app", "--port", "0", "--no-browser"]
    environment = {**os.environ, "TMPDIR": str(folder / "files"), "OMP_NUM_THREADS": "1"}
    environment.pop("GRADIO_TEMP_DIR", None)
    with subprocess.Popen(
        list(map(str, words)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=interruptible,
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("The page is at http://127.0.0.1:"), process.stderr.read()
            yield process, line.split()[4]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    with command(folder) as (process, address):
        yield process, address, folder


@pytest.fixture
def address(served):
    return served[1]


@pytest.fixture
def shown(address, tmp_path):
    with page(tmp_path / "profile", width=1280) as opened:
        opened.open(address)
        wait(opened, "!!document.querySelector('#map svg') && !!document.querySelector('#refine')", seconds=120)
        yield opened
        assert opened.errors == []
        assert [url for url in opened.requests if not url.startswith((address, "data:", "blob:"))] == []


def wait(shown, expression, *, seconds=30):
    end = time.monotonic() + seconds
    while not (value := shown.ask(expression)):
        assert time.monotonic() < end, f"{expression} did not become true"
        time.sleep(0.05)
    return value


def text(identity):
    return f"(document.getElementById('{identity}') || {{}}).textContent"


def write(shown, field, value):
    """What a user does who types a number."""
    shown.ask(
        f"(e => {{e.focus(); e.value = {value}; e.dispatchEvent(new Event('input', {{bubbles: true}}));"
        f"e.dispatchEvent(new Event('change', {{bubbles: true}}))}})(document.querySelector('#{field} input'))"
    )


def choose(shown, field, option):
    shown.ask(f"document.querySelector('#{field} input').focus()")
    found = f"[...document.querySelectorAll('ul[role=listbox] li')].find(e => e.textContent.includes({option!r}))"
    wait(shown, f"!!{found}")
    shown.ask(f"{found}.dispatchEvent(new MouseEvent('mousedown', {{bubbles: true}}))")


def draw(shown, places):
    """One stroke through places given in shares of the canvas."""
    canvas = "document.querySelector('#drawing canvas')"
    shown.ask(f"{canvas}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    left, top, width, height = shown.ask(f"(b => [b.x, b.y, b.width, b.height])({canvas}.getBoundingClientRect())")
    points = [(left + x * width, top + y * height) for x, y in places]
    shown.mouse("mousePressed", *points[0], button="left", buttons=1, clickCount=1)
    for point in points[1:]:
        shown.mouse("mouseMoved", *point, button="left", buttons=1)
    shown.mouse("mouseReleased", *points[-1], button="left", clickCount=1)


def upload(shown, path):
    wait(shown, "!!document.querySelector('input[type=file]')")
    document = shown.send("DOM.getDocument")["root"]["nodeId"]
    node = shown.send("DOM.querySelector", nodeId=document, selector="input[type=file]")["nodeId"]
    shown.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def test_another_wish_gives_another_mask(shown):
    assert shown.ask(text("betti")) == "12 components and 21 loops"
    shown.ask("document.querySelector('#refine').click()")
    assert wait(shown, text("betti-after")) == "1 component and 1 loop"
    before = shown.ask("document.querySelector('#result').innerHTML")

    write(shown, "fewest-loops", 0)
    wait(shown, "document.querySelector('#verdict').textContent.includes('✗ wanted: 1 component and 0 loops')")
    wait(shown, f"!{text('betti-after')}")  # the old result is gone
    shown.ask("document.querySelector('#refine').click()")
    assert wait(shown, text("betti-after")) == "1 component and 0 loops"
    assert shown.ask(text("betti-before")) == "12 components and 21 loops"
    assert shown.ask("document.querySelector('#result').innerHTML") != before
    assert shown.ask(text("command")) == "topoprior refine map.npy --prior 1,0 -o mask.npy"


def test_one_can_draw_and_undo(shown):
    choose(shown, "example", "Blank")
    wait(shown, f"{text('betti')} === '0 components and 0 loops'")
    turn = np.linspace(0, 2 * np.pi, 25)
    draw(shown, list(zip(0.5 + 0.3 * np.cos(turn), 0.5 + 0.3 * np.sin(turn), strict=True)))
    wait(shown, f"{text('betti')} === '1 component and 1 loop'")
    draw(shown, [(0.5, 0.5)])
    wait(shown, f"{text('betti')} === '2 components and 1 loop'")
    shown.ask("document.querySelector('#drawing .undo').click()")
    wait(shown, f"{text('betti')} === '1 component and 1 loop'")


def test_a_level_shows_its_super_level_set(shown):
    choose(shown, "example", "Three blobs")
    wait(shown, f"{text('betti')} === '4 components and 1 loop'")
    write(shown, "level", 0.9)
    wait(shown, f"{text('betti-at-level')} === '2 components and 0 loops'")
    assert shown.ask(text("betti")) == "4 components and 1 loop"


def test_fields_that_are_needed_appear(shown):
    choose(shown, "components", "between")
    wait(shown, "document.querySelectorAll('#most-components').length === 1")
    wait(shown, "document.querySelector('#verdict').textContent.includes('1 to 2 components')")
    choose(shown, "components", "any")
    wait(shown, "document.querySelectorAll('#most-components, #fewest-components').length === 0")


def test_what_cannot_be_is_said(shown):
    write(shown, "fewest-components", 0)
    wait(shown, "document.querySelector('#verdict [role=alert]')?.textContent.includes('cannot be reached')")


def test_files_are_loaded_and_bad_ones_explained(shown, tmp_path):
    shown.ask("[...document.querySelectorAll('button')].find(b => b.textContent.includes('Load your own')).click()")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nonsense")
    upload(shown, bad)
    message = wait(shown, "document.querySelector('#note [role=alert]')?.textContent")
    assert message.startswith("bad.png cannot be read as PNG")
    assert "/" not in message
    assert shown.ask(text("betti")) == "12 components and 21 loops"

    volume = np.zeros((9, 12, 5), np.float32)
    volume[2, 2:9, 3], volume[6, 2:9, 3], volume[2:7, 2, 3], volume[2:7, 8, 3] = 0.9, 0.9, 0.9, 0.9
    np.save(tmp_path / "good.npy", volume)
    upload(shown, tmp_path / "good.npy")
    wait(shown, "document.querySelector('#note').textContent.includes('good.npy, 9 x 12 x 5, slice 2')")
    wait(shown, f"{text('betti')} === '0 components and 0 loops'")
    assert wait(shown, "document.querySelector('#slice input[type=range]')?.value") == "2"
    assert shown.ask("document.querySelector('#example input').value") == ""
    write(shown, "slice", 3)
    wait(shown, f"{text('betti')} === '1 component and 1 loop'")


def test_ctrl_c_ends_it_and_nobody_else_was_told(served):
    """Runs last: by then the command has answered all of the above."""
    process, _, folder = served
    assert list(folder.glob("files/topoprior-app-*/*/good.npy"))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert process.stderr.read() == "stopped\n"
    assert process.stdout.read() == ""
    assert not list(folder.glob("files/topoprior-app-*"))  # what users loaded is gone
    hosts = (folder / "hosts").read_text().split()
    assert hosts
    assert set(hosts) <= {"127.0.0.1", "localhost"}
