"""A network's parameters as one vector, and what acts on it: penalties and the max-norm."""

import numpy as np
import pytest
import torch
from torch import nn

from sknets._training.parameters import FlatParameters, Penalty, clip_rows_


def network():
    """Two layers with batch norm, filled from a generator of its own."""
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    module = module.to(torch.float64).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    module[1].reset_parameters()
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


def test_vector_and_parameters_share_their_memory():
    module = network()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    flat = FlatParameters(module)
    for name, parameter in module.named_parameters():  # the values stay
        torch.testing.assert_close(parameter.detach(), before[name], rtol=0, atol=0)
    assert len(flat.vector) == sum(p.numel() for p in module.parameters())
    flat.values.fill_(7.0)
    assert all((p == 7).all() for p in module.parameters())
    with torch.no_grad():
        module[0].weight.zero_()
    assert (flat.values == 0).sum() == 12


def test_backward_writes_into_the_one_gradient():
    module = network()
    flat = FlatParameters(module)
    module(torch.ones(5, 3, dtype=torch.float64)).sum().backward()
    assert flat.grad is flat.vector.grad
    assert flat.grad.count_nonzero() > 0
    torch.testing.assert_close(module[3].bias.grad, torch.full((2,), 5.0, dtype=torch.float64))
    joined = torch.cat([p.grad.reshape(-1) for p in flat.parameters])
    torch.testing.assert_close(joined, flat.grad, rtol=0, atol=0)


def test_weights_come_first_so_that_penalties_leave_the_rest_alone():
    module = network()
    flat = FlatParameters(module)
    assert len(flat.weights) == len(flat.weight_grad) == 3 * 4 + 4 * 2
    flat.weights.zero_()
    assert not module[0].weight.any()
    assert not module[3].weight.any()
    for parameter in (module[0].bias, module[1].weight, module[1].bias, module[3].bias):
        assert parameter.all()


def test_parts_have_slices_of_their_own_weights_first():
    net = network()
    parts = [net[3], net[:2]]
    flat = FlatParameters(net, parts)
    first, second = flat.slices
    assert [len(part.values) for part in (first, second)] == [10, 24]
    assert [len(part.weights) for part in (first, second)] == [8, 12]
    assert not first.buffers
    assert len(second.buffers) == 2
    first.vector.data.fill_(5)
    first.grad.fill_(7)
    assert all((p == 5).all() and (p.grad == 7).all() for p in parts[0].parameters())
    assert not any((p == 5).any() or (p.grad == 7).any() for p in parts[1].parameters())
    assert flat.values[:10].tolist() == [5] * 10


def test_frozen_parameters_are_left_out():
    module = network()
    module[0].requires_grad_(False)
    frozen = module[0].weight.clone()
    flat = FlatParameters(module)
    assert len(flat.vector) == 4 + 4 + 8 + 2
    flat.values.zero_()
    torch.testing.assert_close(module[0].weight, frozen)


def test_network_without_parameters_has_an_empty_vector():
    assert FlatParameters(nn.Sequential(nn.ReLU())).vector.shape == (0,)


def test_snapshot_is_a_copy_that_restore_puts_back():
    module = network()
    flat = FlatParameters(module)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    snapshot = flat.snapshot()
    vector = flat.vector
    flat.values.zero_()
    module[1].running_mean.fill_(3.0)
    flat.restore(snapshot)
    assert flat.vector is vector  # in place: an optimiser holds it
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(tensor, state[name], rtol=0, atol=0)


def test_snapshot_reads_as_a_state_dict():
    module = network()
    flat = FlatParameters(module)
    named = flat.as_state_dict(flat.snapshot())
    floating = {k: v for k, v in module.state_dict().items() if v.is_floating_point()}
    assert named.keys() == floating.keys()
    for name, tensor in named.items():
        torch.testing.assert_close(tensor, floating[name], rtol=0, atol=0)


@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.3, 0.0), (0.3, 1.0), (0.3, 0.25), (0.0, 0.5)])
def test_penalty_adds_its_formula_and_its_gradient(alpha, l1_ratio):
    flat = FlatParameters(network())
    flat.grad.fill_(1.0)
    w = flat.weights.clone().requires_grad_()
    formula = alpha * ((1 - l1_ratio) / 2 * w.square().sum() + l1_ratio * w.abs().sum()) / 20
    formula.backward()
    penalty = Penalty(alpha, l1_ratio)
    loss = torch.tensor(2.0, dtype=torch.float64)
    penalty.add_to(loss, flat, 20.0)
    torch.testing.assert_close(loss, 2 + formula.detach())
    torch.testing.assert_close(flat.weight_grad, 1 + w.grad)
    assert (flat.grad[len(flat.weights) :] == 1).all()
    assert bool(penalty) == (alpha > 0)


def test_max_norm_shortens_only_what_is_too_long():
    module = network()
    with torch.no_grad():
        module[0].weight[0] = torch.tensor([3.0, 4.0, 0.0])
        module[0].weight[1] = torch.tensor([0.1, 0.0, 0.2])
        module[0].bias.fill_(100.0)
    flat = FlatParameters(module)
    clip_rows_(flat.parameters, 2.0)
    torch.testing.assert_close(
        module[0].weight[:2].detach(),
        torch.tensor([[1.2, 1.6, 0.0], [0.1, 0.0, 0.2]], dtype=torch.float64),
    )
    for layer in (module[0], module[3]):
        assert (layer.weight.norm(dim=1) <= 2 + 1e-12).all()
    assert (module[0].bias == 100).all()
    np.testing.assert_array_equal(module[0].weight.detach().ravel(), flat.values[:12])
