"""Which layers of a network the native engine computes in one, and that it leaves others alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vggnet.torch_native.fusion import Convolution, count_together, run_together

X = torch.randn(2, 16, 6, 6, generator=torch.Generator().manual_seed(0))


def layers(*kinds: str) -> list[nn.Module]:
    make: dict[str, Callable[[], nn.Module]] = {
        "conv": lambda: Convolution(16, 16),
        "batchnorm": lambda: nn.BatchNorm2d(16),
        "relu": nn.ReLU,
        "maxpool": lambda: nn.MaxPool2d(2, 2),
    }
    return [make[kind]() for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        ("batchnorm relu maxpool", 3),
        ("batchnorm relu conv", 2),
        ("relu maxpool", 2),
        ("relu conv", 1),
        ("conv relu", 2),
        ("conv relu conv", 2),
        ("conv relu maxpool", 1),  # the pool goes with the ReLU, whose outputs are the larger
        ("conv batchnorm relu", 1),
        ("maxpool conv relu", 1),
        ("batchnorm", 1),
    ],
)
def test_what_is_computed_in_one(kinds: str, count: int) -> None:
    modules = layers(*kinds.split())
    assert count_together(X, modules, kinds.split()) == count
    if count > 1:
        expected = nn.Sequential(*modules[:count])(X)
        torch.testing.assert_close(run_together(X, modules[:count]), expected)


KINDS = ["batchnorm", "relu", "maxpool"]


class Louder(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


@pytest.mark.parametrize("place", [0, 1])
def test_a_module_of_somebody_else_is_run_by_itself(place: int) -> None:
    modules = layers(*KINDS)
    modules[place] = Louder(16) if place == 0 else nn.GELU()
    assert count_together(X, modules, KINDS) == 1
    modules = layers(*KINDS)
    modules[place].forward = lambda x: x  # type: ignore[method-assign]
    assert count_together(X, modules, KINDS) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"kernel_size": 3}, {"stride": 1}, {"padding": 1}, {"dilation": 2}, {"ceil_mode": True},
        {"return_indices": True},
    ],
)  # fmt: skip
def test_a_pool_that_was_changed_is_run_by_itself(change: dict[str, object]) -> None:
    modules = layers(*KINDS)
    vars(modules[2]).update(change)
    assert count_together(X, modules, KINDS) == 2


@pytest.mark.parametrize(
    "change",
    [{"stride": (2, 2)}, {"padding": (0, 0)}, {"dilation": (2, 2)}, {"padding_mode": "reflect"}],
)
def test_a_convolution_that_was_changed_is_what_torch_makes_of_it(
    change: dict[str, object],
) -> None:
    modules = layers("conv", "relu")
    vars(modules[0]).update(change)
    assert count_together(X, modules, ["conv", "relu"]) == 1
    torch.testing.assert_close(modules[0](X), nn.Conv2d.forward(modules[0], X))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "look",
    [
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_module_with_a_hook_is_run_by_itself(look: str, place: int) -> None:
    modules = layers(*KINDS)
    getattr(modules[place], look)(lambda *_: None)
    assert count_together(X, modules, KINDS) == (2 if place == 2 else 1)


def test_a_hook_on_every_module_sees_every_module() -> None:
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert count_together(X, layers(*KINDS), KINDS) == 1
    handle.remove()
    assert count_together(X, layers(*KINDS), KINDS) == 3
