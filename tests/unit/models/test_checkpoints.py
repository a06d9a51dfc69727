"""A checkpoint fits, or is refused with the names that do not."""

import pytest
import torch
from torch import nn

from brainalign.errors import ModelError
from brainalign.models.checkpoints import load_weights


def test_missing_weights_are_refused_unless_told():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    state = {name: torch.ones_like(value) for name, value in module.state_dict().items()}
    del state["1.bias"]
    with pytest.raises(ModelError, match=r"1\.bias are missing.*allow_missing=True"):
        load_weights(module, state, label="these")
    assert load_weights(module, state, label="these", allow_missing=True) == ["1.bias"]
    assert torch.equal(module[0].weight, torch.ones(2, 2))


def test_other_names_and_shapes_are_refused_in_any_case():
    with pytest.raises(ModelError, match="x do not exist there"):
        load_weights(nn.Linear(2, 1), {"x": torch.ones(1)}, label="these", allow_missing=True)
    with pytest.raises(ModelError, match="weight have another shape there"):
        load_weights(nn.Linear(2, 1), {"weight": torch.ones(3)}, label="these", allow_missing=True)
