"""The configuration of a training run: one YAML or TOML file, and words that change single values of it."""

import importlib
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from topoprior.cli.train.schema import SchemaError, allows_none, descriptions, flat, from_plain, to_plain
from topoprior.imaging.datasets.settings import DataSettings, ValidationSettings
from topoprior.imaging.preparation import Preparation
from topoprior.training.settings import TrainingSettings

_WIDTH = 110
# YAML 1.1, which PyYAML reads, takes 1e-3 for a text: it wants a point in a number with an exponent.
_NUMBER_WITH_EXPONENT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


@dataclass(frozen=True, kw_only=True)
class Configuration(TrainingSettings):
    """All that a training run is told.

    Attributes:
        name: Of the run, whose files are in a folder of that name.
        runs: The folder of all runs.
        data: The images and what is known of them. Places are seen from the folder in which the command is run.
    """

    name: str = "run"
    runs: str = "runs"
    data: DataSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name or Path(self.name).name != self.name:
            raise ValueError(f"name must be the name of a folder, without slashes, got {self.name!r}")
        if self.method != "supervised" and self.data.unlabelled is None:
            raise ValueError(f"data.unlabelled is missing: method {self.method} learns from unlabelled images")
        if self.method.endswith("prior") and self.data.prior is None:
            raise ValueError("data.prior is missing: method prior needs the Betti numbers of the unlabelled images")

    @property
    def folder(self) -> Path:
        """Where the files of the run are."""
        return Path(self.runs) / self.name

    @property
    def training(self) -> TrainingSettings:
        """The part that `topoprior.training.fit` takes."""
        return TrainingSettings(**{field.name: getattr(self, field.name) for field in fields(TrainingSettings)})


def read_configuration(path: Path | None, changes: Sequence[str] = ()) -> Configuration:
    """The configuration of a file, with some values changed.

    Args:
        path: Ends in .yaml, .yml or .toml. None: all values come from the changes.
        changes: ``key=value``, the value as in YAML: ``supervised.steps=50``, ``data.preparation.size=[80,80]``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as what its name says, a key is unknown, missing or given twice, or a value is
            wrong. The message names file, key and value.
        ImportError: If PyYAML is missing: ``pip install 'topoprior[train]'``.

    Examples:
        >>> configuration = read_configuration(None, ["data.images=scans", "data.labels=masks", "seed=3"])
        >>> configuration.data.images, configuration.seed, configuration.method
        ('scans', 3, 'supervised')
    """
    content = {} if path is None else _content(path)
    changed = [_change(content, text) for text in changes]
    try:
        return from_plain(Configuration, content)
    except SchemaError as fault:
        by_hand = any(key == fault.key or key.startswith(f"{fault.key}.") for key in changed)
        source = path if path is not None and not (by_hand and fault.key) else None
        raise ValueError(str(fault) if source is None else f"{source}: {fault}") from fault


def example() -> str:
    """A configuration in YAML with all keys, each under a comment that says what it is."""
    data = DataSettings(
        images="dataset/imagesTr",
        labels="dataset/labelsTr",
        unlabelled="dataset/imagesUnlabelled",
        classes={"myocardium": 2},
        prior={"myocardium": "1,1"},
        preparation=Preparation(slices=2, spacing=(1.8, 1.8), size=(80, 80)),
        validation=ValidationSettings(group=r"patient\d+"),
    )
    head = (
        "# A training run of topoprior: topoprior train --config THIS_FILE\n"
        "# Only data.images and data.labels must be given; every other key may be left out.\n\n"
    )
    return head + as_yaml(Configuration(name="myocardium", method="prior", data=data))


def as_yaml(configuration: Configuration) -> str:
    """All keys and values of a configuration with their descriptions; :func:`read_configuration` is the inverse."""
    own = {field.name for field in fields(TrainingSettings)}
    order = sorted(fields(configuration), key=lambda field: field.name in own)
    return "\n".join(_lines(configuration, [field.name for field in order], indent="")) + "\n"


def differences(first: Configuration, second: Configuration) -> list[str]:
    """What differs between two configurations, hardware and the folder of the runs left out, in words.

    Examples:
        >>> one, other = (read_configuration(None, ["data.images=a", "data.labels=b", f"seed={n}"]) for n in (1, 2))
        >>> differences(one, other)
        ['seed was 1 and is now 2']
    """
    before, now = (flat(to_plain(one)) for one in (first, second))
    keys = [key for key in {**before, **now} if key != "runs" and not key.startswith("hardware.")]
    unset = "not set"
    return [
        f"{key} was {before.get(key, unset)} and is now {now.get(key, unset)}"
        for key in keys
        if before.get(key, unset) != now.get(key, unset)
    ]


def _lines(value: Any, names: Sequence[str], *, indent: str) -> list[str]:
    """A section as lines of YAML: plain values first, then the sections in it, each under its description."""
    said = descriptions(type(value))
    lines: list[str] = []
    for name in sorted(names, key=lambda name: is_dataclass(getattr(value, name))):
        one = getattr(value, name)
        if is_dataclass(one):
            lines.append("")
        lines += [f"{indent}# {line}" for line in wrap(said.get(name, ""), _WIDTH - len(indent))]
        if is_dataclass(one):
            lines.append(f"{indent}{name}:")
            lines += _lines(one, [field.name for field in fields(one)], indent=f"{indent}  ")
        else:
            text = "none" if one is None and allows_none(type(value), name) else _scalar(to_plain(one))
            lines.append(f"{indent}{name}: {text}")
    return lines


def _scalar(value: Any) -> str:
    """A value in one line of YAML."""
    text: str = _yaml().safe_dump(value, default_flow_style=True, width=math.inf, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _content(path: Path) -> dict[str, Any]:
    """What a file holds, as nested mappings."""
    kind = path.suffix.lower()
    if kind not in (".yaml", ".yml", ".toml"):
        raise ValueError(f"{path}: a configuration's name must end in .yaml, .yml or .toml")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder" if path.is_dir() else f"{path} does not exist")
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text) if kind == ".toml" else _parse(text)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as {'TOML' if kind == '.toml' else 'YAML'}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys with values, got {'nothing' if content is None else repr(content)}")
    return content


def _change(content: dict[str, Any], text: str) -> str:
    """Put one ``key=value`` into the content; its key."""
    key, equals, value = text.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ValueError(f"a change must have the form key=value, as in supervised.steps=50, got {text!r}")
    place = content
    for name in names[:-1]:
        inner = place.get(name)
        place[name] = dict(inner) if isinstance(inner, Mapping) else {}
        place = place[name]
    try:
        place[names[-1]] = _parse(value)
    except ValueError as error:
        raise ValueError(f"the value of {text!r} cannot be read as YAML: {error}") from error
    return ".".join(names)


def _parse(text: str) -> Any:
    """YAML in which 1e-3 is a number and no key may stand twice."""
    yaml = _yaml()

    class Loader(yaml.SafeLoader):  # type: ignore[name-defined,misc]
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool) or key in found:
                fault = "is given twice" if isinstance(key, str | int | float | bool) else "is no name"
                raise ValueError(f"line {key_node.start_mark.line + 1}: the key {key} {fault}")
            found[key] = loader.construct_object(value_node, deep=True)
        return found

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_WITH_EXPONENT, list("-+.0123456789"))
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _yaml() -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError as error:
        raise ImportError("configurations need PyYAML: pip install 'topoprior[train]'") from error
