import json
import sys

import pytest
import torch

from topoprior.imaging import networks


@pytest.fixture
def network():
    torch.manual_seed(0)
    return networks.unet(channels=(4, 8, 8), residual_units=1, out_channels=2).eval()


@pytest.mark.parametrize("sides", [(64, 64), (17, 30), (1, 5), (3, 64)])
def test_any_sides_in_two_dimensions(network, sides):
    image = torch.rand(2, 1, *sides)
    assert network(image).shape == (2, 2, *sides)
    network.train()
    assert network(image).shape == (2, 2, *sides)


def test_any_sides_in_three_dimensions():
    volume = torch.rand(1, 2, 5, 9, 8)
    assert networks.unet(spatial_dims=3, in_channels=2, channels=(2, 4))(volume).shape == (1, 1, 5, 9, 8)


def test_no_padding_where_none_is_needed(network):
    image = torch.rand(1, 1, 16, 24)
    torch.testing.assert_close(network(image), network.body(image), rtol=0, atol=0)


def test_padding_repeats_the_edge_and_is_cropped_back(network):
    """14 x 21 needs two more rows and three more columns: one above, one below, one left, two right."""
    image = torch.rand(1, 1, 14, 21)
    rows = torch.tensor([0, *range(14), 13])
    columns = torch.tensor([0, *range(21), 20, 20])
    padded = image[:, :, rows][:, :, :, columns]
    torch.testing.assert_close(network(image), network.body(padded)[:, :, 1:15, 1:22], rtol=0, atol=0)


def test_logits_not_probabilities():
    torch.manual_seed(1)
    logits = networks.unet()(torch.randn(1, 1, 32, 32))
    assert logits.min() < 0


def test_wrong_input(network):
    with pytest.raises(ValueError, match=r"image must have shape \(batch, 1, 2 spatial sides\), got \(1, 3, 8, 8\)"):
        network(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"got \(1, 8, 8\)"):
        network(torch.zeros(1, 8, 8))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"spatial_dims": 1}, "spatial_dims must be 2 or 3, got 1"),
        ({"channels": (8,)}, "channels must be two or more positive numbers"),
        ({"channels": (8, 0)}, "channels must be two or more positive numbers"),
        ({"in_channels": 0}, "channels in and out must be at least 1, got 0 and 1"),
        ({"residual_units": -1}, "residual_units must be at least 0, got -1"),
    ],
)
def test_bad_architecture(options, rule):
    with pytest.raises(ValueError, match=rule):
        networks.unet(**options)


def test_without_monai_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[monai\]'"):
        networks.unet()


def test_save_and_load_give_the_same_network(network, tmp_path):
    file = networks.save(network, tmp_path / "net.safetensors", activation="softmax", normalisation="standard")
    generator = torch.random.get_rng_state()
    loaded = networks.load(file)
    assert torch.equal(generator, torch.random.get_rng_state())
    assert (loaded.activation, loaded.normalisation) == ("softmax", "standard")
    assert not loaded.network.training
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(loaded.network(image), network(image), rtol=0, atol=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.safetensors"]


def test_metadata_is_kept_in_the_json(network, tmp_path):
    networks.save(network, tmp_path / "net.safetensors", metadata={"seed": 3})
    assert json.loads((tmp_path / "net.json").read_text())["metadata"] == {"seed": 3}


def test_save_leaves_existing_files_and_replaces_them_when_asked(network, tmp_path):
    file = tmp_path / "net.safetensors"
    networks.save(network, file)
    with pytest.raises(FileExistsError, match=r"exists already: choose another .* overwriting \(overwrite=True, --ov"):
        networks.save(network, file)
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    networks.save(network, file, overwrite=True)
    assert torch.equal(next(networks.load(file).network.parameters()), next(network.parameters()))


def test_nothing_is_left_when_the_metadata_cannot_be_written(network, tmp_path):
    with pytest.raises(TypeError, match="JSON"):
        networks.save(network, tmp_path / "net.safetensors", metadata={"seed": object()})
    assert list(tmp_path.iterdir()) == []


def test_save_refuses_what_it_could_not_load(network, tmp_path):
    with pytest.raises(TypeError, match=r"must come from topoprior\.networks\.unet, got Linear"):
        networks.save(torch.nn.Linear(1, 1), tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"path must end in \.safetensors"):
        networks.save(network, tmp_path / "net.pt")
    with pytest.raises(ValueError, match="activation must be one of sigmoid, softmax, got 'tanh'"):
        networks.save(network, tmp_path / "net.safetensors", activation="tanh")


def damage_weights(folder):
    file = folder / "net.safetensors"
    file.write_bytes(file.read_bytes()[:100])


def change_json(key, value):
    def change(folder):
        file = folder / "net.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))

    return change


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (damage_weights, "is damaged or not a safetensors file"),
        (lambda folder: (folder / "net.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "net.json").write_text("[1]"), "does not describe a network"),
        (change_json("format", "other"), "its format must be 'topoprior.network.1'"),
        (change_json("architecture", {"spatial_dims": 2}), "architecture has the wrong entries"),
        (change_json("normalisation", "log"), "normalisation must be one of none, standard, minmax, got 'log'"),
        (
            change_json(
                "architecture",
                {"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": [4, 8], "residual_units": 0},
            ),
            "do not fit the network",
        ),
    ],
)
def test_damaged_files(network, tmp_path, damage, rule):
    file = networks.save(network, tmp_path / "net.safetensors")
    damage(tmp_path)
    with pytest.raises(ValueError, match=rule):
        networks.load(file)


def test_missing_files(network, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"net\.safetensors does not exist"):
        networks.load(tmp_path / "net.safetensors")
    file = networks.save(network, tmp_path / "net.safetensors")
    (tmp_path / "net.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"net\.json does not exist"):
        networks.load(file)


@pytest.fixture
def factories(tmp_path, monkeypatch):
    (tmp_path / "my_factories.py").write_text(
        "import torch\n"
        "from topoprior.imaging.networks import LoadedNetwork\n"
        "def plain():\n    return torch.nn.Conv2d(1, 1, 1)\n"
        "def described():\n    return LoadedNetwork(plain(), 'sigmoid', 'minmax')\n"
        "def wrong():\n    return 3\n"
        "def boom():\n    raise KeyError('weights')\n"
        "def greedy(size):\n    return plain()\n"
        "number = 4\n"
    )
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_not_there\n")
    (tmp_path / "breaks.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_factories", None)


@pytest.mark.usefixtures("factories")
def test_factory_in_the_current_folder():
    before = list(sys.path)
    loaded = networks.load("my_factories:plain")
    assert sys.path == before
    assert isinstance(loaded.network, torch.nn.Conv2d)
    assert not loaded.network.training
    assert (loaded.activation, loaded.normalisation) == (None, "none")
    described = networks.load("my_factories:described")
    assert (described.activation, described.normalisation) == ("sigmoid", "minmax")


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("source", "error", "rule"),
    [
        ("no_such_module:plain", ValueError, "no module named 'no_such_module'"),
        ("my_factories:absent", ValueError, "has no function 'absent'"),
        ("my_factories:number", ValueError, "has no function 'number'"),
        ("my_factories:wrong", TypeError, r"must return a torch\.nn\.Module, got int"),
        ("my_factories:boom", ValueError, "the factory my_factories:boom failed: KeyError: 'weights'"),
        ("my_factories:greedy", ValueError, "my_factories:greedy failed: TypeError: greedy.. missing 1 required"),
        ("breaks:plain", ValueError, "the module of breaks:plain cannot be imported: ZeroDivisionError"),
        ("needs_more:plain", ModuleNotFoundError, "a_module_that_is_not_there"),
        ("network.pt", ValueError, "must be a file X.safetensors or module:factory, got 'network.pt'"),
        (":", ValueError, "must be a file"),
        ("", ValueError, "must be a file"),
    ],
)
def test_bad_sources(source, error, rule):
    with pytest.raises(error, match=rule):
        networks.load(source)


def test_normalise_by_hand():
    batch = torch.tensor([[[1.0, 3.0]], [[5.0, 5.0]]])
    assert networks.normalise(batch, "none") is batch
    assert networks.normalise(batch, "standard").tolist() == [[[-1.0, 1.0]], [[0.0, 0.0]]]
    assert networks.LoadedNetwork(torch.nn.Identity(), None, "minmax").normalise(batch).tolist() == [
        [[0.0, 1.0]],
        [[0.0, 0.0]],
    ]
    with pytest.raises(ValueError, match="normalisation must be one of none, standard, minmax, got 'log'"):
        networks.normalise(batch, "log")
