"""Every way of naming a network."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from brainalign.errors import ChoiceError, InputError, MissingDependencyError, ModelError, UnknownModelError
from brainalign.models import Network, Preprocessing, list_models, load_network
from brainalign.models.catalogue import SHIPPED

FACTORY = """
from torch import nn
from brainalign.models import Preprocessing
def pair():
    return nn.Conv2d(3, 2, 1), Preprocessing(size=8)
def bare():
    return nn.Conv2d(3, 2, 1)
def own():
    module = nn.Conv2d(3, 2, 1)
    module.preprocessing = Preprocessing(size=8)
    module.attributes = {"family": "mine", "pretrained": False}
    return module
def number():
    return 3
value = 3
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    name = f"lab_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_a_factory_in_the_working_folder(lab):
    net = load_network(f"{lab}:pair")
    assert net.id == f"{lab}:pair"
    assert net.preprocessing == Preprocessing(size=8).canonical()
    assert str(lab) in net.attributes["source"]
    assert all(path != "." for path in sys.path)


def test_a_module_may_bring_preprocessing_and_attributes(lab):
    net = load_network(f"{lab}:own", name="mine")
    assert (net.id, net.attributes["family"], net.attributes["pretrained"]) == ("mine", "mine", False)
    assert net.attributes["n_parameters"] == 8


def test_preprocessing_is_never_guessed(lab):
    with pytest.raises(ModelError, match=r"preprocessing of .* is not known"):
        load_network(f"{lab}:bare")
    assert load_network(f"{lab}:bare", preprocessing=Preprocessing(size=4)).preprocess is not None


def test_wrong_factories(lab):
    with pytest.raises(ModelError, match="returned int"):
        load_network(f"{lab}:number")
    with pytest.raises(UnknownModelError, match="not a function"):
        load_network(f"{lab}:value")
    with pytest.raises(UnknownModelError, match="'pair'"):
        load_network(f"{lab}:piar")
    with pytest.raises(UnknownModelError, match="neither installed"):
        load_network("no_such_module_at_all:make")
    with pytest.raises(InputError, match="dotted name"):
        load_network("../x:make")
    with pytest.raises(UnknownModelError, match=r"'package\.module:factory'"):
        load_network(f"{lab}:")


def test_a_broken_module_of_the_user_shows_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "lab_broken.py").write_text("import no_such_module_inside")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_inside"):
        load_network("lab_broken:make")


def test_a_module_needs_a_name():
    with pytest.raises(InputError, match="name="):
        load_network(nn.Identity())
    net = load_network(nn.Identity(), name="identity", preprocessing=Preprocessing(size=4))
    assert isinstance(net, Network)


def test_unknown_names_offer_near_ones():
    with pytest.raises(UnknownModelError, match="'efficientnet-lite0'"):
        load_network("efficientnet-lite")
    with pytest.raises(ModelError, match="got int"):
        load_network(3)


def test_pixels_are_the_image():
    net = load_network("pixels")
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(net.module(images), images.reshape(2, -1))
    assert net.revision == load_network("brainalign.models.pixels:pixels").revision


def test_a_missing_package_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "brainalign\[demo\]"'):
        load_network("efficientnet-lite0-random")


def test_random_twins_are_fixed_and_leave_the_random_state_alone():
    pytest.importorskip("efficientnet_lite_pytorch")
    state = torch.get_rng_state()
    first = load_network("efficientnet-lite0-random")
    assert torch.equal(torch.get_rng_state(), state)
    assert first.revision == load_network("efficientnet-lite0-random").revision
    assert first.attributes["pretrained"] is False
    assert first.default_layers is not None and first.default_layers[-1] == "_avg_pooling"
    assert set(first.default_layers) <= set(first.layers())


def test_networks_made_in_threads_do_not_draw_each_others_weights():
    pytest.importorskip("efficientnet_lite_pytorch")
    names = ["efficientnet-lite0-random", "efficientnet-lite1-random"]
    alone = [load_network(name).revision for name in names]
    with ThreadPoolExecutor(2) as threads:
        together = [network.revision for network in threads.map(load_network, 3 * names)]
    assert together == 3 * alone


def test_the_list_names_what_is_shipped():
    rows = {row.name: row for row in list_models()}
    assert set(SHIPPED) == set(rows)
    assert rows["efficientnet-lite0"].pretrained is True
    assert [row.name for row in list_models(match="*lite1*")] == ["efficientnet-lite1", "efficientnet-lite1-random"]


@pytest.mark.parametrize(
    ("source", "match", "architecture", "weights"),
    [
        ("open_clip", "ViT-B-32/*", "open_clip:ViT-B-32/none", "open_clip:ViT-B-32/openai"),
        ("timm", "convnext_tiny*", "timm:convnext_tiny", "timm:convnext_tiny.fb_in1k"),
        ("torchvision", "resnet18*", "torchvision:resnet18", "torchvision:resnet18/IMAGENET1K_V1"),
    ],
)
def test_a_source_lists_architectures_and_weights(source, match, architecture, weights):
    rows = {row.name: row.pretrained for row in list_models(source=source, match=match)}
    assert rows[architecture] is False and rows[weights] is True
    with pytest.raises(ChoiceError, match="'timm'"):
        list_models(source="tim")


def test_the_list_needs_no_torch(repository):
    code = """
import sys, brainalign.models
brainalign.models.list_models()
print({"torch", "pandas", "open_clip"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository)
    assert done.stdout.strip() == "set()"
