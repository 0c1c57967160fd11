"""A headless Chromium, told what to do over its debugging pipe: file descriptors 3 and 4, JSON between null bytes."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Gives the two ends of the pipes the numbers that Chromium knows, and becomes Chromium.
_MOVE = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    def __init__(self, to, back):
        self._to, self._back, self._number, self._session = to, back, 0, None
        self.errors, self.requests = [], []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        letters = bytearray()
        while (letter := self._back.read(1)) != b"\0":
            if not letter:
                raise OSError("the browser has closed its pipe")
            letters += letter
        message = json.loads(letters)
        if message.get("method") == "Runtime.exceptionThrown" or (
            message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error"
        ):
            self.errors.append(message["params"])
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message

    def open(self, place):
        """A file, or an address."""
        self.send("Page.navigate", url=place if isinstance(place, str) else place.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def ask(self, expression):
        """What a JavaScript expression gives."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def mouse(self, kind, x, y, **more):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


@contextmanager
def page(folder, *, width=1000, height=1400):
    """A page of a browser that keeps its files in a folder."""
    read, to = os.pipe()
    back, write = os.pipe()
    words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--disable-extensions"]
    words += [f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"]
    moved = [sys.executable, "-c", _MOVE, str(read), str(write), *words]
    process = subprocess.Popen(moved, pass_fds=(read, write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(read)
    os.close(write)
    try:
        with os.fdopen(to, "wb") as sink, os.fdopen(back, "rb") as source:
            opened = Page(sink, source)
            yield opened
            opened._session = None
            opened.send("Browser.close")
    finally:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
