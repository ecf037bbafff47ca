"""vggnet.training.run: what one batch does to the network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_data import SMALL
from torch.nn import functional

from vggnet.preprocess import Preprocess
from vggnet.training.run import NonFiniteLoss, Run

PREPROCESS = Preprocess(32, 32, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
PIXELS = torch.randint(
    0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
LABELS = torch.arange(8) % 3
PLAIN = replace(SMALL, batch_norm=False, average=0.0, head="average")


def _run(recipe=SMALL, **changes):  # type: ignore[no-untyped-def]
    recipe = replace(recipe, **changes)
    return Run(recipe, recipe.spec(3), PREPROCESS, num_steps=20)


def _weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: values.clone() for name, values in run.network.state_dict().items()}


def test_a_step_is_sgd_with_nesterov_momentum_and_decay_on_weights_only() -> None:
    run = _run(PLAIN, nesterov=True, momentum=0.9, weight_decay=0.01, label_smoothing=0.1)
    before = _weights(run)
    images = torch.from_numpy(PREPROCESS.pixels_to_input(PIXELS.numpy()))
    loss = functional.cross_entropy(run.network(images), LABELS, label_smoothing=0.1)
    gradients = torch.autograd.grad(loss, list(run.network.parameters()))
    rate = run.learning_rate()
    measured, _ = run.take(PIXELS, LABELS)
    assert measured == pytest.approx(loss.item(), rel=1e-5)
    for (name, after), gradient in zip(_weights(run).items(), gradients, strict=True):
        decay = 0.01 if name.endswith("weight") else 0.0
        step = gradient + decay * before[name]
        expected = before[name] - rate * (step + 0.9 * step)  # the first step's momentum is itself
        torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-7)


def test_decay_all_reaches_the_biases() -> None:
    run = _run(PLAIN, decay_all=True)
    assert len(run.optimizer.param_groups) == 1
    assert run.optimizer.param_groups[0]["weight_decay"] == SMALL.weight_decay


def test_accumulating_gives_the_same_step_where_no_batch_norm_stands() -> None:
    whole, parts = _run(PLAIN), _run(PLAIN, accumulate=4)
    losses = [run.take(PIXELS, LABELS)[0] for run in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, values in _weights(whole).items():
        torch.testing.assert_close(values, _weights(parts)[name], rtol=1e-4, atol=1e-6)


def test_the_average_follows_the_network() -> None:
    run = _run(average=0.5)
    assert run.averaged is not None
    average = {name: values.clone() for name, values in run.averaged.state_dict().items()}
    for step in range(1, 4):
        run.take(PIXELS, LABELS)
        decay = min(0.5, step / (step + 10))
        for name, values in _weights(run).items():
            average[name] = decay * average[name] + (1 - decay) * values
    for name, values in run.averaged.state_dict().items():
        torch.testing.assert_close(values, average[name], rtol=1e-5, atol=1e-6)
    assert run.best is run.averaged


def test_saved_values_go_on_to_the_bit() -> None:
    alone = _run(dropout=0.5)
    for _ in range(3):
        alone.take(PIXELS, LABELS)
    values = alone.to_values()
    values = torch.load(_buffer(values), weights_only=True)
    losses = [alone.take(PIXELS, LABELS)[0] for _ in range(3)]
    resumed = _run(dropout=0.5)
    resumed.from_values(values)
    assert [resumed.take(PIXELS, LABELS)[0] for _ in range(3)] == losses
    assert all(torch.equal(a, b) for a, b in _pairs(alone, resumed))


def _buffer(values):  # type: ignore[no-untyped-def]
    import io

    buffer = io.BytesIO()
    torch.save(values, buffer)
    buffer.seek(0)
    return buffer


def _pairs(one: Run, other: Run) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(zip(_weights(one).values(), _weights(other).values(), strict=True))


def test_a_loss_that_is_no_number_stops_before_it_harms_the_weights() -> None:
    run = _run()
    run.take(PIXELS, LABELS)
    with torch.no_grad():
        run.network.get_parameter("conv1_1.weight")[0, 0, 0, 0] = float("nan")
    before = _weights(run)
    with pytest.raises(NonFiniteLoss, match=r"the loss is nan at step 2 .*lower learning rate"):
        run.take(PIXELS, LABELS)
    torch.testing.assert_close(before["fc6.weight"], run.network.get_parameter("fc6.weight").data)
    assert run.step == 1


def test_initial_weights_replace_the_random_ones() -> None:
    recipe = PLAIN
    given = {"conv1_1.weight": np.full((3, 3, 3, 3), 0.25, np.float32)}
    run = Run(recipe, recipe.spec(3), PREPROCESS, 20, initial=given)
    assert (run.network.get_parameter("conv1_1.weight") == 0.25).all()
    other = _run(PLAIN)
    assert torch.equal(
        run.network.get_parameter("conv2_1.weight"), other.network.get_parameter("conv2_1.weight")
    )


def test_the_function_is_the_tested_network() -> None:
    run = _run()
    run.take(PIXELS, LABELS)
    images = PREPROCESS.pixels_to_input(PIXELS.numpy())
    with torch.inference_mode():
        expected = run.best.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(run.function()(images), expected, rtol=1e-4, atol=1e-5)
