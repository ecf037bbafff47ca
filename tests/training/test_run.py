"""vggnet.training.run: what one batch does to the network."""

import copy
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_data import SMALL
from torch.nn import functional

from vggnet.preprocess import Preprocess
from vggnet.training.batches import mix
from vggnet.training.run import Diverged, Run, figures

PREPROCESS = Preprocess(32, 32, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
PIXELS = torch.randint(
    0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
LABELS = torch.arange(8) % 3
PLAIN = replace(SMALL, batch_norm=False, weight_average=0.0, head="average")


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
    measured = run.train_step(PIXELS, LABELS)
    assert measured.loss.item() == pytest.approx(loss.item(), rel=1e-5)
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
    losses = [run.train_step(PIXELS, LABELS).loss.item() for run in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, values in _weights(whole).items():
        torch.testing.assert_close(values, _weights(parts)[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("mixes", [{"mixup": 1.0}, {"cutmix": 1.0}])
def test_a_mixed_step_is_one_from_the_mixed_pictures_and_targets(
    mixes: dict[str, Any], accumulate: int
) -> None:
    run = _run(PLAIN, **mixes, accumulate=accumulate, label_smoothing=0.1)
    for _ in range(4):  # large shares and small ones
        how = mix.draw(run.recipe, run.step, 32)
        images = torch.from_numpy(PREPROCESS.pixels_to_input(PIXELS.numpy()))
        images = how.images(images, images.roll(1, 0))
        hot = functional.one_hot(LABELS, 3).float()
        targets = how.share * hot + (1 - how.share) * hot.roll(1, 0)
        with torch.no_grad():
            logits = run.network(images)
        expected = functional.cross_entropy(logits, targets, label_smoothing=0.1)
        hits = (logits.argmax(dim=1) == targets.argmax(dim=1)).sum()
        outcome = run.train_step(PIXELS, LABELS)
        assert outcome.loss.item() == pytest.approx(expected.item(), rel=1e-5)
        assert outcome.correct == hits


def test_mixed_batches_accumulate_to_the_same_step() -> None:
    whole, parts = (
        _run(PLAIN, mixup=0.4, cutmix=1.0, accumulate=accumulate) for accumulate in (1, 4)
    )
    for _ in range(3):
        for run in (whole, parts):
            run.train_step(PIXELS, LABELS)
    for name, values in _weights(whole).items():
        torch.testing.assert_close(values, _weights(parts)[name], rtol=1e-4, atol=1e-6)


def test_the_average_follows_the_network() -> None:
    run = _run(weight_average=0.5)
    assert run.averaged is not None
    average = {name: values.clone() for name, values in run.averaged.state_dict().items()}
    for step in range(1, 4):
        run.train_step(PIXELS, LABELS)
        decay = min(0.5, step / (step + 10))
        for name, values in _weights(run).items():
            average[name] = decay * average[name] + (1 - decay) * values
    for name, values in run.averaged.state_dict().items():
        torch.testing.assert_close(values, average[name], rtol=1e-5, atol=1e-6)
    assert run.network_to_keep is run.averaged


def test_saved_values_go_on_to_the_bit() -> None:
    alone = _run(head="fc", dropout=0.5)
    for _ in range(3):
        alone.train_step(PIXELS, LABELS)
    values = alone.to_values()
    values = torch.load(_buffer(values), weights_only=True)
    losses = [alone.train_step(PIXELS, LABELS).loss for _ in range(3)]
    resumed = _run(head="fc", dropout=0.5)
    resumed.from_values(values)
    assert [resumed.train_step(PIXELS, LABELS).loss for _ in range(3)] == losses
    assert all(torch.equal(a, b) for a, b in _pairs(alone, resumed))


def test_saved_values_hold_how_far_the_rate_has_dropped() -> None:
    recipe = replace(SMALL, schedule="plateau", patience=1, learning_rate=0.01)
    run, resumed = _run(recipe), _run(recipe)
    for accuracy in (0.5, 0.4, 0.6):
        run.plateau.epoch(accuracy, recipe.patience)
    resumed.from_values(torch.load(_buffer(run.to_values()), weights_only=True))
    assert resumed.plateau == run.plateau
    assert resumed.learning_rate() == pytest.approx(0.001)


def _buffer(values):  # type: ignore[no-untyped-def]
    buffer = io.BytesIO()
    torch.save(values, buffer)
    buffer.seek(0)
    return buffer


def _pairs(one: Run, other: Run) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(zip(_weights(one).values(), _weights(other).values(), strict=True))


def _assert_diverges_without_harm(run: Run, text: str) -> None:
    before, momentum = _weights(run), copy.deepcopy(run.optimizer.state_dict())
    with pytest.raises(Diverged, match=text):
        run.train_step(PIXELS, LABELS)
    assert {name for name in before if "running" in name}
    for name, values in _weights(run).items():
        torch.testing.assert_close(values, before[name], rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(
        run.optimizer.state_dict()["state"], momentum["state"], rtol=0, atol=0
    )
    assert run.step == 1


def test_a_loss_that_is_no_number_stops_before_it_changes_anything() -> None:
    run = _run()
    run.train_step(PIXELS, LABELS)
    with torch.no_grad():
        run.network.get_parameter("conv1_1.weight")[0, 0, 0, 0] = float("nan")
    _assert_diverges_without_harm(run, r"the loss is nan at step 2 .*lower learning rate")


def test_so_does_a_gradient_that_is_not_finite_beside_a_finite_loss() -> None:
    run = _run()
    run.train_step(PIXELS, LABELS)
    run.network.get_parameter("conv2_1.bias").register_hook(lambda gradient: gradient / 0)
    _assert_diverges_without_harm(run, r"the gradient is not finite at step 2 ")


def test_an_outcome_tells_of_its_step() -> None:
    run = _run(accumulate=2)
    run.train_step(PIXELS, LABELS)
    rate = run.learning_rate()
    before = copy.deepcopy(run.network).train()
    outcome = run.train_step(PIXELS, LABELS)
    assert (outcome.step, outcome.learning_rate, outcome.images) == (2, rate, 8)
    images = torch.from_numpy(PREPROCESS.pixels_to_input(PIXELS.numpy()))
    hits = sum(
        int((before(images[part]).argmax(dim=1) == LABELS[part]).sum())
        for part in (slice(4), slice(4, 8))
    )
    assert figures([outcome]) == [(outcome.loss.item(), hits)]
    assert figures([]) == []


@pytest.fixture
def _read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA: a step does not look at what it gave."""
    monkeypatch.setattr(Run, "checks_each_step", False)


@pytest.mark.usefixtures("_read_later")
def test_read_later_it_is_the_first_step_that_diverged_that_is_named() -> None:
    run = _run(weight_average=0.0)
    outcomes = [run.train_step(PIXELS, LABELS) for _ in range(2)]
    assert len(figures(outcomes)) == 2
    parameter = run.network.get_parameter("conv2_1.bias")
    hook = parameter.register_hook(lambda gradient: gradient / 0)
    outcomes.append(run.train_step(PIXELS, LABELS))
    hook.remove()
    outcomes.append(run.train_step(PIXELS, LABELS))  # its loss is not finite either
    with pytest.raises(Diverged, match="the gradient is not finite at step 3 "):
        figures(outcomes)
    with pytest.raises(Diverged, match="the loss is nan at step 4 "):
        figures(outcomes[3:])


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
    run.train_step(PIXELS, LABELS)
    images = PREPROCESS.pixels_to_input(PIXELS.numpy())
    with torch.inference_mode():
        expected = run.network_to_keep.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(run.function()(PIXELS.numpy()), expected, rtol=1e-4, atol=1e-5)


def test_initial_statistics_of_batch_norms_are_taken_over() -> None:
    names = [name for name in _run().network.state_dict() if name.endswith("running_mean")]
    given = {names[0]: np.full_like(_weights(_run())[names[0]].numpy(), 0.5)}
    run = Run(SMALL, SMALL.spec(3), PREPROCESS, 20, initial=given)
    assert (run.network.get_buffer(names[0]) == 0.5).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_saved_values_go_on_to_the_bit_on_cuda() -> None:
    recipe = replace(SMALL, head="fc", dropout=0.5)

    def begin() -> Run:
        return Run(recipe, recipe.spec(3), PREPROCESS, num_steps=20, device="cuda")

    alone = begin()
    alone.train_step(PIXELS, LABELS)
    values = torch.load(_buffer(alone.to_values()), map_location="cpu", weights_only=True)
    losses = [alone.train_step(PIXELS, LABELS).loss for _ in range(3)]
    resumed = begin()
    resumed.from_values(values)
    assert [resumed.train_step(PIXELS, LABELS).loss for _ in range(3)] == losses


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_on_cuda_does_not_wait_for_the_device(precision: Any) -> None:
    recipe = replace(SMALL, head="fc", accumulate=2, mixup=0.2, cutmix=1.0)
    run = Run(recipe, recipe.spec(3), PREPROCESS, 20, device="cuda", precision=precision)
    pixels, labels = PIXELS.pin_memory(), LABELS.pin_memory()
    outcomes = [run.train_step(pixels, labels) for _ in range(2)]  # the first prepares much
    torch.cuda.set_sync_debug_mode("error")
    try:
        outcomes += [run.train_step(pixels, labels) for _ in range(3)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [each.step for each in outcomes] == [1, 2, 3, 4, 5]
    assert len(figures(outcomes)) == 5
