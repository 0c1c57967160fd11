"""Where a number comes from, besides its settings: the commit of the code, and what kind of machine ran it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import topoprior

_PACKAGE = Path(topoprior.__file__).parent


def commit() -> str | None:
    """The commit of the package, if it lies in a clone of its repository; None if not, or if git cannot tell.

    Returns:
        The whole hash, followed by ``-dirty`` if files of the package differ from it.
    """
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:  # installed, perhaps below somebody else's clone
        return None
    found = _git("rev-parse", "HEAD")
    changed = found and _git("status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{found}-dirty" if changed else found


def machine() -> dict[str, Any]:
    """What running times depend on: processor, number of them, torch's threads, GPU. Nothing that identifies it."""
    import torch

    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _git(*words: str) -> str | None:
    """What git says about the package; None if it fails or is not there."""
    try:
        said = subprocess.run(["git", *words], cwd=_PACKAGE, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()


def _processor() -> str:
    """Its name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
