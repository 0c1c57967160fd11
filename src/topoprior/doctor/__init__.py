"""Why is the loss flat or wrong? Looks at maps, networks and logs, and tells what to do.

The names are loaded when they are first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoprior.doctor.diagnosis import diagnose
    from topoprior.doctor.finding import Finding
    from topoprior.doctor.log import diagnose_log
    from topoprior.doctor.network import diagnose_network

_HOMES = {"Finding": "finding", "diagnose": "diagnosis", "diagnose_log": "log", "diagnose_network": "network"}

__all__ = ["Finding", "diagnose", "diagnose_log", "diagnose_network"]


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'topoprior.doctor' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"topoprior.doctor.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
