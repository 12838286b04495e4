"""Our networks beside an independent implementation of them: pytorchcv, where it is installed."""

import pytest
import torch


def weights(module, seed=0):
    """Random parameters and buffers in the order of a module's, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
            values = torch.randn(tensor.shape, generator=generator) / fan_in**0.5
            state[name] = values.abs() + 0.5 if name.endswith("running_var") else values
        else:
            state[name] = torch.zeros_like(tensor)
    return state


def assert_agrees(description, module, name, input_shape, n_outputs=10, **settings):
    """Equal outputs with equal weights, in the order of their places in the network."""
    theirs_of = getattr(pytest.importorskip(f"pytorchcv.models.{module}"), name)
    with torch.device("meta"):
        ours = description.build(input_shape, n_outputs)
        theirs = theirs_of(num_classes=n_outputs, in_size=input_shape[1:], **settings)
    state = weights(ours)
    names = list(theirs.state_dict())
    assert [tuple(t.shape) for t in theirs.state_dict().values()] == [
        tuple(t.shape) for t in state.values()
    ]
    ours.load_state_dict(state, assign=True)
    theirs.load_state_dict(dict(zip(names, state.values(), strict=True)), assign=True)
    x = torch.randn(2, *input_shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-5, rtol=1e-5)
