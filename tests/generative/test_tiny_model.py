"""The embedded model: what goes into the network, what its diffusion keeps, and that it can learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from core.seeds import child
from defects.generative.crop import CELLS, thickness
from defects.generative.painter import GOOD
from defects.generative.tiny import diffusion
from defects.generative.tiny.augment import augmented
from defects.generative.tiny.condition import CHANNELS, REACH_PX, condition, scale_code, signed_distance
from defects.generative.tiny.config import TYPES, TinyConfig, type_of
from defects.generative.tiny.diffusion import Batch, loss, sample, shares, shifted
from defects.generative.tiny.grain import edited, local_grain
from defects.generative.tiny.net import FOLD, TinyNet
from defects.generative.tiny.pairs import BY, LATE, MOST_WINDOWS, NO_DAMAGE, NO_TYPE, Pairs, Samples, collate, framed
from defects.generative.tiny.train import Training, advance, begin
from defects.procedural.kinds import KINDS
from tests.generative.tiny_models import SIDE, SMALL, disc, pairs, surface


def first(count: int = 4, **more) -> Batch:
    samples = Samples(pairs(8), SMALL, 3, **more)
    return collate([samples[i] for i in range(count)])


def test_every_procedural_damage_of_a_surface_is_a_type() -> None:
    unlike = {"perlin_overlay", "missing_feature"}
    assert {type_of(k) for k in KINDS} - unlike <= set(TYPES)
    assert type_of("rust", "white_rust") == "white_rust" and type_of("rust", "rust_patch") == "rust"


def test_shipped_network_fits_into_sixteen_megabytes() -> None:
    count = sum(p.numel() for p in TinyNet(TinyConfig()).parameters())
    assert count > 2e6 and 2 * count < 14e6


def test_signed_distance_is_the_distance_to_the_rim() -> None:
    mask = disc()
    told = signed_distance(mask) * REACH_PX
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    assert np.allclose(told, np.clip(inside - outside, -REACH_PX, REACH_PX), atol=1e-3)


def test_scale_is_logarithmic_and_may_be_unknown() -> None:
    assert scale_code(float("nan")) == (0.0, 0.0) == scale_code(0.0)
    near, far = scale_code(0.02)[0], scale_code(0.04)[0]
    assert far - near == pytest.approx(scale_code(0.4)[0] - scale_code(0.2)[0]) and far > near


def test_condition_has_its_planes_in_order() -> None:
    image, mask = surface(), disc()
    planes = condition(image, mask, np.ones_like(mask))
    assert planes.shape == (CHANNELS, SIDE, SIDE) and planes.dtype == np.float32
    assert np.allclose((planes[:3] + 1) / 2, np.moveaxis(image, 2, 0), atol=1e-6)
    assert (planes[3] == mask).all() and ((planes[4] > 0) == mask).all()


def test_a_fresh_network_says_nothing_and_every_input_reaches_a_trained_one() -> None:
    torch.manual_seed(0)
    net, batch = TinyNet(SMALL), first()
    inputs = (batch.change, batch.condition, batch.level, batch.kind, batch.scale)
    assert not net(*inputs).any()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(0.2 * torch.randn_like(p))
    told = net(*inputs)
    assert told.shape == batch.change.shape
    for i, other in enumerate(
        (batch.change + 1, batch.condition + 1, batch.level / 2, (1 + batch.kind) % SMALL.null, batch.scale + 1)
    ):
        varied = list(inputs)
        varied[i] = other
        assert (net(*varied) - told).abs().amax((1, 2, 3)).min() > 1e-4


@given(st.floats(0.0, 1.0))
def test_the_schedule_keeps_the_variance(level: float) -> None:
    signal, noise = shares(torch.tensor([level]))
    assert float(signal**2 + noise**2) == pytest.approx(1.0, abs=1e-6)


def test_nothing_outside_the_mask_enters_the_loss() -> None:
    torch.manual_seed(0)
    net, batch = TinyNet(SMALL), first()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(0.1 * torch.randn_like(p))
    outside = 1 - batch.mask
    strange = Batch(**{**vars(batch), "change": batch.change + 9 * outside, "noise": batch.noise - 7 * outside})
    assert torch.equal(loss(net, batch), loss(net, strange))


class Oracle(torch.nn.Module):
    """Knows the answer: the change, whatever the noise."""

    def __init__(self, change: torch.Tensor) -> None:
        super().__init__()
        self.change = change

    def forward(self, noisy, condition, level, kind, scale):
        return self.change


@pytest.mark.parametrize("steps", [1, 5, 20])
def test_sampling_with_a_perfect_network_gives_the_change(steps: int) -> None:
    batch = first(2, plain=True)
    noise = torch.randn(batch.change.shape, generator=torch.Generator().manual_seed(1))
    given = (batch.condition, batch.mask, batch.kind, batch.scale, noise)
    told = sample(Oracle(batch.change), *given, null=SMALL.null, change_scale=0.25, steps=steps, guidance=1.0)  # type: ignore[arg-type]
    assert torch.allclose(told, 0.25 * batch.change, atol=1e-4)


class Leaky(Oracle):
    """Knows the change, and lets half of the noise through."""

    def forward(self, noisy, condition, level, kind, scale):
        signal, _ = shares(level)
        return self.change + 0.5 * (noisy - signal * self.change)


def test_noise_that_a_network_lets_through_is_averaged_out(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = first(2, plain=True)
    noise = torch.randn(batch.change.shape, generator=torch.Generator().manual_seed(1))
    given = (batch.condition, batch.mask, batch.kind, batch.scale, noise)
    off = {}
    for count in (1, diffusion.POLISHERS):
        monkeypatch.setattr(diffusion, "POLISHERS", count)
        told = sample(Leaky(batch.change), *given, null=SMALL.null, change_scale=0.25, steps=8, guidance=1.0)  # type: ignore[arg-type]
        off[count] = float(((told - 0.25 * batch.change) ** 2)[batch.mask.expand_as(told) > 0].mean() ** 0.5)
    assert off[1] > 0.03 and off[6] < 0.6 * off[1]


def test_a_sampled_change_keeps_the_image_within_range_and_the_mask() -> None:
    batch = first(3, plain=True)
    noise = torch.randn(batch.change.shape, generator=torch.Generator().manual_seed(1))
    given = (batch.condition, batch.mask, batch.kind, batch.scale, noise)
    told = sample(Oracle(batch.change + 50), *given, null=SMALL.null, change_scale=0.25, steps=3, guidance=1.0)  # type: ignore[arg-type]
    image = (batch.condition[:, :3] + 1) / 2 + told
    assert image.max() <= 1 + 1e-5 and image.min() >= -1e-5 and not (told * (1 - batch.mask)).any()
    assert told.abs().max() > 0.1


class OfOneBrightness:
    """The perfect network for patches of one even change each, which are normally distributed."""

    MEAN, SPREAD = 0.4, 0.15

    def __call__(self, noisy, condition, level, kind, scale):
        signal, share = shares(level)
        told = noisy.mean((1, 2, 3), keepdim=True) / signal
        weight = (signal / share) ** 2 * noisy[0].numel() * self.SPREAD**2
        return ((self.MEAN + weight * told) / (1 + weight)).expand_as(noisy)


@pytest.mark.parametrize("side", [16, 96])
def test_large_patches_come_out_as_bright_and_as_different_as_they_are(side: int) -> None:
    count = 150
    noise = torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(2))
    given = (torch.zeros(count, CHANNELS, 1, 1), torch.ones(count, 1, side, side), torch.zeros(count).long())
    net, asked = OfOneBrightness(), {"null": 0, "change_scale": 0.5, "steps": 16, "guidance": 1.0}
    told = sample(net, *given, torch.zeros(count, 2), noise, **asked).mean((1, 2, 3)) / 0.5  # type: ignore[arg-type]
    assert abs(float(told.mean()) - net.MEAN) < 0.25 * net.SPREAD
    assert 0.75 < float(told.std()) / net.SPREAD < 1.15


def test_a_shifted_level_has_so_much_more_noise_for_its_signal() -> None:
    for level in (0.1, 0.5, 0.9):
        (s, n), (t, m) = (shares(torch.tensor([v])) for v in (level, shifted(level, 4.0)))
        assert float(m / t) == pytest.approx(4 * float(n / s), rel=1e-3)
    assert shifted(0.0, 4.0) == 0 and shifted(0.7, 1.0) == pytest.approx(0.7)


def test_half_of_the_training_sees_the_levels_where_large_patches_are_settled() -> None:
    samples = Samples(pairs(8), SMALL, 3)
    levels = np.array([float(samples[i][5]) for i in range(1200)])
    even, late = 0.1, 1 - 2 / math.pi * math.atan(math.tan(math.pi / 2 * 0.9) / BY)
    share = (1 - LATE) * even + LATE * late
    assert abs((levels > 0.9).mean() - share) < 4 * math.sqrt(share / 1200) and levels.max() < 1
    plain = Samples(pairs(200), SMALL, 3, plain=True)
    assert np.mean([float(plain[i][5]) > 0.9 for i in range(200)]) < 0.2, "held-out losses stay comparable"


@pytest.mark.slow
def test_one_pair_is_learned() -> None:
    """The loss on one pair falls to a quarter, at levels where the noise hides the change."""
    how = Training(steps=160, batch=8, rate=6e-3, warm=10, half=False)
    state = begin(SMALL, how)
    samples = Samples(pairs(1), SMALL, 0, plain=True)
    row = collate([samples[0]] * 8)
    draws = torch.Generator().manual_seed(4)

    def noised() -> Batch:
        noise = torch.randn(row.noise.shape, generator=draws) * row.mask
        return Batch(**{**vars(row), "noise": noise, "level": 0.5 + 0.5 * torch.rand(8, generator=draws)})

    tests = [noised() for _ in range(8)]
    before = np.mean([loss(state.net, b).mean().item() for b in tests])
    for _ in range(how.steps):
        advance(state, noised(), how)
    with torch.no_grad():
        after = np.mean([loss(state.net, b).mean().item() for b in tests])
    assert after < 0.25 * before


def test_a_sample_depends_on_its_number_alone_and_types_are_hidden_as_often_as_told() -> None:
    samples = Samples(pairs(8), SMALL, 3)
    for a, b in zip(samples[17], Samples(pairs(8), SMALL, 3)[17], strict=True):
        assert torch.allclose(a.float(), b.float(), atol=1e-5)
    kinds = np.array([int(samples[i][3]) for i in range(1500)])
    for share, kind in ((NO_TYPE, SMALL.null), (NO_DAMAGE * (1 - NO_TYPE), SMALL.types.index(GOOD))):
        assert abs((kinds == kind).mean() - share) < 4 * math.sqrt(share / 1500)
    for i in np.flatnonzero(kinds == SMALL.types.index(GOOD))[:5]:
        assert not samples[int(i)][0].any()


def test_a_window_shows_the_mask_and_is_cut_from_all_planes_alike() -> None:
    whole, cut = (Samples(pairs(8), SMALL, 3, plain=True, crop=crop) for crop in (0, 16))
    for i in range(8):
        full, part = whole[i], cut[i]
        assert part[0].shape == (3, 16, 16) and part[1].shape == (CHANNELS, 16, 16)
        found = [
            (y, x) for y in range(SIDE - 15) for x in range(SIDE - 15)
            if all(torch.equal(full[k][:, y : y + 16, x : x + 16], part[k]) for k in (0, 1, 2, 6))
        ]  # fmt: skip
        assert len(found) == 1 and part[2].any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_augmentation_keeps_a_pair_a_pair(number: int) -> None:
    pair = pairs(2).pair(number % 2)
    seen = augmented(pair, child(number, "augment"))
    assert seen.clean.shape == pair.clean.shape and seen.mask.any() and not seen.mask.all()
    changed = np.abs(seen.defected - seen.clean).max(2)
    assert changed[seen.mask].max() > 0.01
    assert changed[ndimage.binary_dilation(seen.mask, iterations=9) == 0].max(initial=0) < 1 / 255
    sign = np.sign(pair.defected - pair.clean).sum()
    assert np.sign((seen.defected - seen.clean)[seen.mask]).sum() * sign > 0


def test_pairs_are_framed_as_painting_frames_them() -> None:
    """A scratch one pixel wide is magnified until it spans two cells, a large patch is cut at full scale, and what
    nobody sees is left out."""
    config = TinyConfig()
    side = 2 * config.size
    thin, wide, faint = np.zeros((3, side, side), bool)
    thin[130, 40:100] = wide[40:200, 40:200] = faint[20:30, 20:30] = True
    mask, depth = np.stack([thin, wide, faint]), np.array([60, 60, 4])[:, None, None, None]
    clean = np.full((3, side, side, 3), 100, np.uint8)
    change = (mask[..., None] * depth * np.ones(3)).astype(np.int16)
    scale = np.full(3, 0.1, np.float32)
    made = framed(
        Pairs(clean, change, mask, np.ones_like(mask), scale, np.array(["scratch", "stain", "dent"])), config, 0
    )
    assert made.clean.shape[1:] == (config.size, config.size, 3) and set(made.kind.tolist()) == {"scratch", "stain"}
    assert len(made) <= 2 * 2 * MOST_WINDOWS
    for k, kind in enumerate(made.kind.tolist()):
        seen = np.abs(made.change[k]).max(2)
        assert seen[made.mask[k]].max() > 20 and made.mask[k].any()
        if kind == "scratch":
            assert thickness(made.mask[k]) >= CELLS * FOLD - 1 and made.mm_per_px[k] < 0.1
        else:
            assert made.mm_per_px[k] >= 0.1
    assert sorted({round(float(v), 2) for v, k in zip(made.mm_per_px, made.kind, strict=True) if k == "stain"}) == [
        0.1,
        0.2,
    ]


def test_grain_is_kept_where_it_is_and_grown_where_a_clipped_pixel_darkens() -> None:
    rng = child(0, "grain")
    side, sigma = 64, 0.03
    field = rng.standard_normal((side, side, 3)).astype(np.float32)
    flat = np.clip(0.5 + sigma * field, 0, 1)
    assert np.allclose(edited(flat, np.full_like(flat, -0.2), field), flat - 0.2, atol=1e-6)
    assert np.array_equal(edited(flat, np.zeros_like(flat), field), flat)
    half = flat.copy()
    half[:, side // 2 :] = 1.0
    change = np.zeros_like(half)
    change[:, side // 2 :] = -0.4
    grown = local_grain(edited(half, change, rng.standard_normal(half.shape).astype(np.float32)))
    there, here = grown[8:-8, -16:-8].mean(), grown[8:-8, 8:16].mean()
    assert 0.75 < there / here < 1.25
