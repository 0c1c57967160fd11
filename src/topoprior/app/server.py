"""Serve the page on this machine, to this machine alone, until it is stopped."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from topoprior.app.page import asset, page

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
PORT = 7860
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
_MONOSPACE = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


@contextmanager
def served(*, port: int = PORT, browser: bool = False) -> Iterator[str]:
    """The address of the page, which is there until the block ends.

    Files that users load lie in a folder that goes with it. Nothing is asked of, or told to, any other machine.

    Args:
        port: 0 for any that is free.
        browser: Open it in the user's browser.

    Raises:
        OSError: If the port is taken.
        ValueError: If it is no port.
        ImportError: If gradio is missing.
    """
    port = free_port(port)
    with TemporaryDirectory(prefix="topoprior-app-") as folder, _environment(GRADIO_TEMP_DIR=folder):
        blocks = page()
        try:
            _, address, _ = blocks.launch(server_name=HOST, server_port=port, inbrowser=browser, **_options())
            yield address
        finally:
            blocks.close(verbose=False)


def serve(*, port: int = PORT, browser: bool = True) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        OSError: If the port is taken.
        ValueError: If it is no port.
        ImportError: If gradio is missing.
    """
    with served(port=port, browser=browser) as address:
        print(f"The page is at {address} (Ctrl-C stops it)", flush=True)
        threading.Event().wait()


def free_port(port: int) -> int:
    """The port itself if it is free, and one that is for 0.

    Raises:
        OSError: If it is taken.
        ValueError: If it is no port.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"--port must be from 0 to 65535, got {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was stopped a moment ago is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise OSError(f"port {port} is not free ({error.strerror}): choose another with --port") from error
        return int(probe.getsockname()[1])


def _options() -> dict[str, Any]:
    import gradio as gr

    # Fonts that a system has: none is fetched. Orange means "too many" on this page.
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=_FONT, font_mono=_MONOSPACE)
    return {
        "share": False,
        "quiet": True,
        "prevent_thread_lock": True,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": [],
        "max_file_size": "512mb",
        "css": asset("style.css"),
        "theme": theme.set(
            body_text_color_subdued="*neutral_600",
            body_text_color_subdued_dark="*neutral_300",
            block_info_text_color="*neutral_600",
            block_info_text_color_dark="*neutral_300",
        ),
    }


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
