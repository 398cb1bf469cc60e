"""What the last pass fits: albedo in an atlas, gloss at the vertices, an environment map, gains; the mesh moves too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.bake import filled
from recon.fit.precondition import Preconditioner
from recon.fit.problem import UnitFrame
from recon.fit.unknowns import logit
from recon.montecarlo.environment import Environment
from recon.raster.protocol import Topology
from recon.raster.texture import bilinear
from recon.result import Reconstruction
from recon.shading import Optics
from recon.unwrap import Atlas

ROUGHNESS = (0.08, 1.0)
DARKEST = 1e-4
"""Radiance whose logarithm the darkest texel of the light starts at."""


@dataclass(eq=False)
class State:
    """latent: (n, 3) of the preconditioned vertices, unit frame. albedo_raw: (s, s, 3) logits, row 0 at v = 1.
    gloss_raw: (n, 2) logits of roughness and metallic. light_raw: (h, 2 h, 3) logarithm. gains_raw: (views, 3).

    nearness: (h, 2 h) of the light, unit frame; None where all of it is far. uv: (3 m, 2) by corner; charted: (s, s)
    bool texels of charts. mean_albedo: where the mean over the charts is kept.
    """

    smooth: Preconditioner
    topology: Topology
    latent: torch.Tensor
    albedo_raw: torch.Tensor
    gloss_raw: torch.Tensor
    light_raw: torch.Tensor
    gains_raw: torch.Tensor
    nearness: torch.Tensor | None
    uv: torch.Tensor
    charted: torch.Tensor
    mean_albedo: float

    @staticmethod
    def of(found: Reconstruction, atlas: Atlas, frame: UnitFrame, stiffness: float, device: str) -> State:
        """As the fit left it; every texel has the colour that the vertices about it have."""

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.tensor(np.asarray(array, np.float32), device=device)

        smooth = Preconditioner(found.faces, len(found.vertices), stiffness)
        charted = torch.tensor(atlas.covered, device=device)
        corners = found.albedo[found.faces[atlas.face[atlas.covered]]]
        texels = np.zeros((atlas.size, atlas.size, 3))
        texels[atlas.covered] = np.einsum("npc,np->nc", corners, atlas.bary[atlas.covered])
        albedo = tensor(filled(texels, atlas.covered))
        least, most = ROUGHNESS
        rough = (np.asarray(found.roughness, float) - least) / (most - least)
        exposures = np.stack([s.exposure for s in found.shadings])
        return State(
            smooth=smooth,
            topology=Topology.of(found.faces, len(found.vertices), device),
            latent=smooth.latent(tensor(frame.unit(found.vertices))).requires_grad_(),
            albedo_raw=logit(albedo).requires_grad_(),
            gloss_raw=logit(tensor(np.column_stack([rough, found.metallic]))).requires_grad_(),
            light_raw=torch.log(tensor(found.environment).clamp(min=DARKEST)).requires_grad_(),
            gains_raw=torch.log(tensor(exposures).clamp(min=1e-3)).requires_grad_(),
            nearness=None if found.nearness is None else tensor(found.nearness * frame.radius),
            uv=tensor(atlas.uv.reshape(-1, 2)),
            charted=charted,
            mean_albedo=float(albedo[charted].mean()),
        )

    @property
    def vertices(self) -> torch.Tensor:
        """(n, 3), unit frame, with gradients."""
        return self.smooth.values(self.latent)

    @property
    def albedo(self) -> torch.Tensor:
        """(s, s, 3) linear."""
        return torch.sigmoid(self.albedo_raw)

    @property
    def gloss(self) -> torch.Tensor:
        """(n, 2) roughness and metallic."""
        least, most = ROUGHNESS
        shares = torch.sigmoid(self.gloss_raw)
        return torch.cat([least + (most - least) * shares[:, :1], shares[:, 1:]], 1)

    @property
    def environment(self) -> Environment:
        return Environment.of(torch.exp(self.light_raw), self.nearness)

    @property
    def own_corners(self) -> torch.Tensor:
        """(m, 3) int32 into `uv`."""
        return torch.arange(len(self.uv), dtype=torch.int32, device=self.uv.device).reshape(-1, 3)

    def gain(self, view: int) -> torch.Tensor:
        return torch.exp(self.gains_raw[view])

    @torch.no_grad()
    def optics(self) -> Optics:
        """At the vertices: albedo is the mean over the charts' corners that meet there."""
        corners = self.topology.faces.reshape(-1).long()
        found = bilinear(self.albedo, self.uv[None])[0]
        total = torch.zeros(len(self.latent), 3, device=found.device).index_add(0, corners, found)
        count = torch.bincount(corners, minlength=len(self.latent)).clamp(min=1)
        gloss = self.gloss
        return Optics(total / count[:, None], gloss[:, :1], gloss[:, 1:])

    @property
    def parameters(self) -> list[torch.Tensor]:
        return [self.latent, self.albedo_raw, self.gloss_raw, self.light_raw, self.gains_raw]
