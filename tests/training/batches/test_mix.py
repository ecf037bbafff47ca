"""batches.mix: what is drawn for a step, and the pictures and targets that come of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_data import SMALL
from torch.nn import functional

from vggnet.training.batches import mix
from vggnet.training.batches.mix import UNMIXED, Mix, cross_entropy, draw

BOTH = replace(SMALL, mixup=0.4, cutmix=1.0)


def _drawn(recipe, num=2000, size=32):  # type: ignore[no-untyped-def]
    return [draw(recipe, step, size) for step in range(num)]


def test_a_draw_depends_on_the_seed_and_the_step_alone() -> None:
    assert _drawn(BOTH, 50) == [draw(BOTH, step, 32) for step in reversed(range(50))][::-1]
    assert len(set(_drawn(BOTH, 50))) == 50
    assert _drawn(replace(BOTH, seed=1), 50) != _drawn(BOTH, 50)


def test_nothing_is_mixed_unless_the_recipe_asks_for_it() -> None:
    assert set(_drawn(SMALL, 50)) == {UNMIXED}
    assert set(_drawn(replace(BOTH, mix_share=0.0), 50)) == {UNMIXED}


def test_both_are_done_to_half_of_the_batches_that_are_mixed() -> None:
    drawn = _drawn(replace(BOTH, mix_share=0.6))
    counts = [
        sum(each == UNMIXED for each in drawn),
        sum(each.box is not None for each in drawn),
    ]
    assert counts == pytest.approx([800, 600], abs=80)
    assert all(each.box is None for each in _drawn(replace(SMALL, mixup=0.4), 100))
    assert all(each.box for each in _drawn(replace(SMALL, cutmix=1.0), 100))


def test_shares_of_mixup_are_of_the_beta_distribution() -> None:
    shares = np.array([each.share for each in _drawn(replace(SMALL, mixup=0.4))])
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.01)


def test_targets_keep_the_share_of_the_area_that_pictures_keep() -> None:
    zeros, ones = torch.zeros(1, 1, 20, 20), torch.ones(1, 1, 20, 20)
    shares = []
    for each in _drawn(replace(SMALL, cutmix=1.0), 300, size=20):
        assert 1 - each.images(zeros, ones).mean().item() == pytest.approx(each.share, abs=1e-6)
        shares.append(each.share)
    assert min(shares) < 0.25
    assert max(shares) > 0.95
    assert zeros.sum() == 0  # they stay as they were


def test_a_blend_is_of_both_pictures_in_their_shares() -> None:
    one, other = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(Mix(0.3).images(one, other), 0.3 * one + 0.7 * other)


def test_the_loss_is_that_against_targets_mixed_and_smoothed_by_hand() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    targets, partners = torch.tensor([0, 1, 2, 3, 0]), torch.tensor([0, 0, 1, 2, 3])
    soft = 0.3 * functional.one_hot(targets, 4) + 0.7 * functional.one_hot(partners, 4)
    soft = 0.9 * soft + 0.1 / 4
    expected = -(soft * logits.log_softmax(dim=1)).sum()
    found = cross_entropy(logits, targets, partners, Mix(0.3), label_smoothing=0.1)
    torch.testing.assert_close(found, expected)


def test_the_dominant_class_is_that_of_the_greater_share() -> None:
    targets, partners = torch.tensor([0, 1]), torch.tensor([2, 3])
    assert Mix(0.6).dominant(targets, partners) is targets
    assert Mix(0.4).dominant(targets, partners) is partners


def test_each_picture_has_the_one_before_it_for_a_partner() -> None:
    pictures, partners = mix.with_partners(torch.tensor([5, 6, 7]))
    assert (pictures.tolist(), partners.tolist()) == ([5, 6, 7], [7, 5, 6])
    pictures, partners = mix.with_partners(torch.tensor([4, 5, 6, 7]), led=True)
    assert (pictures.tolist(), partners.tolist()) == ([5, 6, 7], [4, 5, 6])
