"""The code in a TorchScript archive is read before anything is loaded."""

import warnings
import zipfile

import pytest
import torch
from torch import nn

from brainalign.errors import ModelError
from brainalign.models import Preprocessing, load_network

SMALL = Preprocessing(size=8)


class Writes(nn.Module):
    """Writes a file while it computes."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.path)
        return x.mean((2, 3))


def saved(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), str(path))
    return path


def test_code_that_writes_files_is_refused_before_it_is_loaded(tmp_path, monkeypatch):
    target = tmp_path / "written"
    file = saved(Writes(str(target)), tmp_path / "writes.pt")
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(ModelError, match=r"calls aten::save.*not loaded"):
        load_network(f"torchscript:{file}", preprocessing=SMALL)
    assert not target.exists()


def test_foreign_operators_are_refused(tmp_path):
    plain = saved(nn.Sequential(nn.Conv2d(3, 2, 3)), tmp_path / "plain.pt")
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(tmp_path / "foreign.pt", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            foreign = data.replace(b"return", b"_ = ops.evil.run(1)\n    return")
            new.writestr(name, foreign if name.endswith(".py") else data)
    with pytest.raises(ModelError, match="evil::run"):
        load_network(f"torchscript:{tmp_path / 'foreign.pt'}", preprocessing=SMALL)


def test_what_is_no_zip(tmp_path):
    torch.save({"a": 1}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(ModelError, match="no TorchScript archive"):
        load_network(f"torchscript:{tmp_path / 'old.pt'}", preprocessing=SMALL)


def test_real_networks_pass_and_count_their_parameters(tmp_path):
    models = pytest.importorskip("torchvision.models")
    module = models.squeezenet1_1()
    network = load_network(f"torchscript:{saved(module, tmp_path / 's.pt')}", preprocessing=SMALL)
    assert network.n_parameters == sum(p.numel() for p in module.parameters())
    assert network.identity()["n_parameters"] == network.n_parameters
