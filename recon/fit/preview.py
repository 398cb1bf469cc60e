"""A look at a fit under way: some photographs, and below each what the fit shows there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from core.files import write_bytes
from recon.fit.optimise import Fit
from recon.fit.picture import picture, srgb
from recon.fit.problem import Target
from recon.fit.settings import Settings
from recon.fit.summary import settled
from recon.raster.protocol import Rasterizer

SHOWN = 6


@torch.no_grad()
def write_preview(
    path: Path, fit: Fit, views: Sequence[Target], settings: Settings, rasterizer: Rasterizer, shown: int = SHOWN
) -> None:
    """A PNG of at most `shown` views, spread over the capture; views of other sizes are brought to the first one's."""
    chosen = [views[int((k + 0.5) * len(views) / shown)] for k in range(min(shown, len(views)))]
    topology = fit.topology()
    estimate = settled(fit, topology, chosen, settings)
    height, width = chosen[0].size
    columns = []
    for target in chosen:
        fitted = srgb(picture(estimate, target, topology, rasterizer)[0][..., :3])
        both = torch.cat([target.photograph, fitted]).clamp(0, 1).cpu().numpy()
        columns.append(cv2.resize(both, (width, 2 * height), interpolation=cv2.INTER_AREA))
    codes = np.rint(np.concatenate(columns, 1) * 255).astype(np.uint8)
    done, data = cv2.imencode(".png", codes[..., ::-1])
    assert done, "OpenCV could not encode a PNG"
    write_bytes(path, data.tobytes())
