"""One file, read strictly: what is wrong in it is told with file, key and value."""

import re
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from topoprior.cli.train.configuration import Configuration, as_yaml, differences, example, read_configuration
from topoprior.cli.train.schema import SchemaError, descriptions, flat, from_plain, to_plain
from topoprior.training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Inside.

    Attributes:
        side: Of the square,
            in pixels.
    """

    side: int = 1

    def __post_init__(self):
        if self.side < 1:
            raise ValueError(f"side must be at least 1, got {self.side}")


@dataclass(frozen=True, kw_only=True)
class Outer:
    """Outside.

    Attributes:
        name: Of it.
        inner: The ``Inner``.

    Raises:
        ValueError: Never.
    """

    name: str = "x"
    whole: int = 0
    real: float = 0.0
    flag: bool = False
    word: Literal["a", "b"] = "a"
    power: Literal[1, 2] = 1
    maybe: int | None = None
    several: tuple[float, ...] = ()
    mixed: dict[str, int | tuple[int, ...]] | None = None
    anything: dict[str, Any] = field(default_factory=dict)
    either: str | dict[str, str] | None = None
    inner: Inner = field(default_factory=Inner)


VALUES = {
    "name": "a name",
    "whole": 3,
    "real": 0.5,
    "flag": True,
    "word": "b",
    "power": 2,
    "maybe": 4,
    "several": [1.0, 2.5],
    "mixed": {"one": 1, "two": [2, 3]},
    "anything": {"name": "closing", "radius": 3},
    "either": {"x": "1,1"},
    "inner": {"side": 7},
}


def test_every_kind_of_value_there_and_back():
    made = from_plain(Outer, VALUES)
    assert made.several == (1.0, 2.5)
    assert made.mixed == {"one": 1, "two": (2, 3)}
    assert made.inner == Inner(side=7)
    assert to_plain(made) == VALUES
    assert from_plain(Outer, {}) == Outer()
    assert from_plain(Outer, {"real": 3}).real == 3.0
    assert from_plain(Outer, {"maybe": "none", "either": None}) == Outer()
    assert from_plain(Outer, {"either": "1,1"}).either == "1,1"


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("name", 3, "text, got 3"),
        ("whole", 1.5, "a whole number, got 1.5"),
        ("whole", True, "a whole number, got True"),
        ("whole", "3", "a whole number, got '3'"),
        ("real", "fast", "a number, got 'fast'"),
        ("real", True, "a number, got True"),
        ("real", float("nan"), "a number, got nan"),
        ("flag", 1, "true or false, got 1"),
        ("word", "c", "one of a, b, got 'c'"),
        ("power", True, "one of 1, 2, got True"),
        ("maybe", "3", "a whole number or none, got '3'"),
        ("several", 3.0, "a list of numbers, got 3.0"),
        ("several", [1, "x"], r"a list of numbers, got \[1, 'x'\]"),
        ("several", "12", "a list of numbers, got '12'"),
        ("mixed", 3, "a section of names with a value each or none, got 3"),
        ("either", 1, "text or a section of names with a value each or none, got 1"),
        ("inner", 3, "a section with keys of its own, got 3"),
    ],
)
def test_values_of_the_wrong_type(key, value, rule):
    with pytest.raises(SchemaError, match=f"^{key} must be {rule}$"):
        from_plain(Outer, {key: value})


def test_values_inside_sections_have_their_full_name():
    with pytest.raises(SchemaError, match=r"^inner.side must be a whole number, got 'x'$"):
        from_plain(Outer, {"inner": {"side": "x"}})
    with pytest.raises(SchemaError, match=r"^inner: side must be at least 1, got 0$"):
        from_plain(Outer, {"inner": {"side": 0}})
    with pytest.raises(SchemaError, match=r"^mixed.one must be a whole number or a list of whole numbers, got 'x'$"):
        from_plain(Outer, {"mixed": {"one": "x"}})
    with pytest.raises(SchemaError, match="mixed must have names that are text, got 1: write it in quotes"):
        from_plain(Outer, {"mixed": {1: 2}})


def test_unknown_keys_are_refused_by_name():
    with pytest.raises(SchemaError, match=r"^unknown key inner.sid; did you mean inner.side\?$"):
        from_plain(Outer, {"inner": {"sid": 3}})
    with pytest.raises(SchemaError, match=r"^unknown key inner.qqqqq; known are inner.side$"):
        from_plain(Outer, {"inner": {"qqqqq": 3}})


def test_descriptions_come_from_the_docstrings():
    assert descriptions(Inner) == {"side": "Of the square, in pixels."}
    assert descriptions(Outer) == {"name": "Of it.", "inner": "The Inner."}
    assert descriptions(Configuration)["seed"] == descriptions(TrainingSettings)["seed"]


# Files


def write(tmp_path, text, name="run.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


DATA = "data: {images: scans, labels: masks}\n"


def test_yaml_and_toml_say_the_same(tmp_path):
    yaml = write(
        tmp_path,
        "# a comment\nname: mine\nsupervised:\n  learning_rate: 1e-3 # YAML 1.1 would take it for a text\n  steps: 7\n"
        "data:\n  images: scans\n  labels: masks\n  classes: {LV: 3, all: [1, 2]}\n  preparation: {size: [80, 81]}\n",
    )
    toml = write(
        tmp_path,
        '# a comment\nname = "mine"\n[supervised]\nlearning_rate = 1e-3\nsteps = 7\n[data]\nimages = "scans"\n'
        'labels = "masks"\nclasses = {LV = 3, all = [1, 2]}\npreparation.size = [80, 81]\n',
        "run.toml",
    )
    configuration = read_configuration(yaml)
    assert configuration == read_configuration(toml)
    assert configuration.supervised.learning_rate == 0.001
    assert configuration.data.preparation.size == (80, 81)
    assert configuration.data.class_values == {"LV": (3,), "all": (1, 2)}
    assert type(configuration.training) is TrainingSettings
    assert configuration.training.supervised.steps == 7


def test_changes_from_the_command_line(tmp_path):
    path = write(tmp_path, DATA + "supervised: {steps: 7, patience: 3}\n")
    changes = ["supervised.steps=9", "data.preparation.size=[4, 5]", "data.classes.MYO=2", "data.prior=1,1", "seed=3"]
    configuration = read_configuration(path, changes)
    assert (configuration.supervised.steps, configuration.supervised.patience, configuration.seed) == (9, 3, 3)
    assert configuration.data.preparation.size == (4, 5)
    assert configuration.data.class_values == {"MYO": (2,)}
    assert configuration.data.prior == "1,1"
    assert read_configuration(None, ["data.images=a", "data.labels=b"]).data.images == "a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DATA + "supervised: {stesp: 7}", r"run.yaml: unknown key supervised.stesp; did you mean supervised.steps\?$"),
        (DATA + "supervised: {steps: many}", r"run.yaml: supervised.steps must be a whole number, got 'many'$"),
        (DATA + "supervised: {steps: 0}", r"run.yaml: supervised: steps must be at least 1, got 0$"),
        (DATA + "seed: -1", r"run.yaml: seed must be at least 0 and less than 2\^31, got -1$"),
        (DATA + "seed: 1\nseed: 2", r"run.yaml cannot be read as YAML: line 3: the key seed is given twice$"),
        (DATA + "seed: [1", r"run.yaml cannot be read as YAML: while parsing a flow sequence"),
        (DATA + "name: a/b", r"run.yaml: name must be the name of a folder, without slashes, got 'a/b'$"),
        ("seed: 1", r"run.yaml: data.images is missing$"),
        ("data: {images: x}", r"run.yaml: data.labels is missing$"),
        ("", r"run.yaml must hold keys with values, got nothing$"),
        ("- 1", r"run.yaml must hold keys with values, got \[1\]$"),
        (DATA + "method: prior", r"run.yaml: data.unlabelled is missing: method prior learns from unlabelled"),
        (
            "data: {images: x, labels: y, unlabelled: z}\nmethod: prior",
            r"run.yaml: data.prior is missing: method prior needs the Betti numbers",
        ),
        (
            "data: {images: x, labels: y, preparation: {spacing: [0.0, 1.0]}}",
            r"run.yaml: data.preparation: spacing must be 1 to 3 numbers greater than 0, got \[0.0, 1.0\]$",
        ),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_configuration(write(tmp_path, text))


def test_files_that_are_no_configurations(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.yaml does not exist"):
        read_configuration(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match=r"run.json: a configuration's name must end in .yaml, .yml or .toml"):
        read_configuration(write(tmp_path, "{}", "run.json"))
    with pytest.raises(ValueError, match=r"run.toml cannot be read as TOML: .*line 1"):
        read_configuration(write(tmp_path, "seed: 3", "run.toml"))


def test_changes_that_are_wrong(tmp_path):
    path = write(tmp_path, DATA)
    with pytest.raises(ValueError, match=r"^unknown key sed; did you mean seed\?$"):
        read_configuration(path, ["sed=3"])
    with pytest.raises(ValueError, match=r"a change must have the form key=value, as in .*, got 'seed'"):
        read_configuration(path, ["seed"])
    with pytest.raises(ValueError, match=r"the value of 'seed=\[1' cannot be read as YAML"):
        read_configuration(path, ["seed=[1"])


# The example and the resolved configuration


def test_the_example_is_valid_and_tells_every_key(tmp_path):
    text = example()
    configuration = read_configuration(write(tmp_path, text))
    assert configuration.method == "prior"
    assert as_yaml(configuration) in text
    lines = text.splitlines()
    for key in flat(to_plain(configuration)):
        name = key.split(".")[-1]
        if key.startswith(("data.classes.", "data.prior.", "post_processing.")):
            continue
        assert any(line.strip().startswith(f"{name}: ") for line in lines), name


def test_the_configurations_in_the_guide_are_valid(tmp_path):
    guide = Path(__file__).parents[1] / "docs" / "how-to" / "train.md"
    blocks = re.findall(r"```yaml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert [read_configuration(write(tmp_path, text)).name for text in blocks] == ["rings", "run", "myocardium"]


def test_every_key_has_a_description():
    def undescribed(schema):
        said = descriptions(schema)
        for one in fields(schema):
            if one.name not in said:
                yield f"{schema.__name__}.{one.name}"
            kind = one.default_factory if one.default_factory is not None else one.type
            if is_dataclass(kind):
                yield from undescribed(kind)

    assert list(undescribed(Configuration)) == []


def test_a_resolved_configuration_reads_back_the_same(tmp_path):
    changes = [
        "data.images='a: # b'",
        "data.labels=b",
        "data.classes={LV: [3, 4], 'no': 5}",
        "data.prior={LV: '1,0', 'no': p.csv}",
        "post_processing={name: crf, deep: null}",
        "network.factory=a:b",
        "supervised.learning_rate=1e-7",
    ]
    configuration = read_configuration(None, changes)
    assert read_configuration(write(tmp_path, as_yaml(configuration))) == configuration


def test_differences_leave_the_hardware_out():
    first = read_configuration(None, ["data.images=a", "data.labels=b", "hardware.devices=2", "runs=x"])
    assert differences(first, read_configuration(None, ["data.images=a", "data.labels=b"])) == []
    other = read_configuration(None, ["data.images=c", "data.labels=b", "data.classes.LV=3", "supervised.steps=5"])
    assert differences(first, other) == [
        "supervised.steps was 1000 and is now 5",
        "data.images was a and is now c",
        "data.classes was None and is now not set",
        "data.classes.LV was not set and is now 3",
    ]
