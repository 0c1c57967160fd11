"""Networks from functions of your own, named ``"module:function"``."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn


def build(factory: str, arguments: Mapping[str, int]) -> nn.Module:
    """A network from a factory of your own, with fresh weights.

    Args:
        factory: ``"module:function"``; the current folder is searched too.
        arguments: What it is called with, by name: ``spatial_dims``, ``in_channels`` and ``out_channels``.

    Raises:
        ValueError: If the factory is not found or fails.
        TypeError: If it returns anything but an ``nn.Module``.

    Examples:
        >>> build("torch.nn:Conv2d", {"in_channels": 1, "out_channels": 2, "kernel_size": 3})
        Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
    """
    module, _, function = factory.rpartition(":")
    network = made_by(module, function, arguments)
    if not isinstance(network, nn.Module):
        raise TypeError(f"{factory} must return a torch.nn.Module, got {type(network).__name__}")
    network.factory_arguments = dict(arguments)  # type: ignore[assignment]  # for `save`
    return network


def made_by(module: str, factory: str, arguments: Mapping[str, Any]) -> Any:
    """What a factory returns.

    Raises:
        ValueError: If it is not found or fails.
    """
    with _current_folder_importable():
        try:
            home = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module + ".").startswith(error.name + "."):
                raise  # the module was found; something that it imports was not
            raise ValueError(f"no module named {module!r} can be imported for {module}:{factory}") from error
        except ImportError:
            raise
        except Exception as error:  # whatever code of others may raise
            raise ValueError(f"the module of {module}:{factory} cannot be imported: {_in_words(error)}") from error
    make = getattr(home, factory, None)
    if not callable(make):
        raise ValueError(f"module {module!r} has no function {factory!r}")
    try:
        return make(**arguments)
    except Exception as error:  # as above
        raise ValueError(f"the factory {module}:{factory} failed: {_in_words(error)}") from error


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
