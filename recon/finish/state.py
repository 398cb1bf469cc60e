"""What the last pass fits: albedo, gloss and relief in an atlas, an environment map, gains; the mesh moves too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.bake import filled
from recon.finish.relief import Finer
from recon.fit.precondition import Preconditioner
from recon.fit.problem import UnitFrame
from recon.fit.unknowns import logit
from recon.montecarlo.environment import Environment
from recon.raster.protocol import Topology
from recon.raster.texture import bilinear
from recon.result import Reconstruction
from recon.shading import Optics
from recon.tangents import Fans
from recon.unwrap import Atlas

ROUGHNESS = (0.08, 1.0)
DARKEST = 1e-4
"""Radiance whose logarithm the darkest texel of the light starts at."""


@dataclass(eq=False)
class State:
    """latent: (n, 3) of the preconditioned vertices, unit frame. albedo_raw: (s, s, 3) logits, row 0 at v = 1.
    gloss_raw: (s, s, 2) logits of roughness and metallic. relief_raw: (2, s, s, 2), one for each half of the
    photographs, of which `reliefs` is what the vertices cannot have. light_raw: (h, 2 h, 3) logarithm. gains_raw:
    (views, 3).

    nearness: (h, 2 h) of the light, unit frame; None where all of it is far. fans: of the atlas' texture coordinates;
    charted: (s, s) bool texels of charts. mean_albedo: where the mean over the charts is kept.
    """

    smooth: Preconditioner
    topology: Topology
    latent: torch.Tensor
    albedo_raw: torch.Tensor
    gloss_raw: torch.Tensor
    relief_raw: torch.Tensor
    light_raw: torch.Tensor
    gains_raw: torch.Tensor
    nearness: torch.Tensor | None
    fans: Fans
    charted: torch.Tensor
    finer: Finer
    mean_albedo: float

    @staticmethod
    def of(found: Reconstruction, atlas: Atlas, frame: UnitFrame, stiffness: float, device: str) -> State:
        """As the fit left it; every texel has the colour and gloss that the vertices about it have, and is flat."""

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.tensor(np.asarray(array, np.float32), device=device)

        smooth = Preconditioner(found.faces, len(found.vertices), stiffness)
        charted = torch.tensor(atlas.covered, device=device)
        least, most = ROUGHNESS
        rough = (np.asarray(found.roughness, float) - least) / (most - least)
        corners = np.column_stack([found.albedo, rough, found.metallic])[found.faces[atlas.face[atlas.covered]]]
        texels = np.zeros((atlas.size, atlas.size, 5))
        texels[atlas.covered] = np.einsum("npc,np->nc", corners, atlas.bary[atlas.covered])
        looks = tensor(filled(texels, atlas.covered))
        exposures = np.stack([s.exposure for s in found.shadings])
        return State(
            smooth=smooth,
            topology=Topology.of(found.faces, len(found.vertices), device),
            latent=smooth.latent(tensor(frame.unit(found.vertices))).requires_grad_(),
            albedo_raw=logit(looks[..., :3]).requires_grad_(),
            gloss_raw=logit(looks[..., 3:]).requires_grad_(),
            relief_raw=torch.zeros_like(looks[..., 3:]).repeat(2, 1, 1, 1).requires_grad_(),
            light_raw=torch.log(tensor(found.environment).clamp(min=DARKEST)).requires_grad_(),
            gains_raw=torch.log(tensor(exposures).clamp(min=1e-3)).requires_grad_(),
            nearness=None if found.nearness is None else tensor(found.nearness * frame.radius),
            fans=Fans.of(found.faces, atlas.uv, device),
            charted=charted,
            finer=Finer.of(charted, edge_texels(atlas)),
            mean_albedo=float(looks[charted][:, :3].mean()),
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
        """(s, s, 2) roughness and metallic."""
        least, most = ROUGHNESS
        shares = torch.sigmoid(self.gloss_raw)
        return torch.cat([least + (most - least) * shares[..., :1], shares[..., 1:]], -1)

    @property
    def reliefs(self) -> torch.Tensor:
        """(2, s, s, 2) of the shading normal: its parts along tangent and bitangent (`recon.tangents`) over its part
        along the smooth normal, 0 where it is that."""
        return torch.stack([self.finer(half) for half in self.relief_raw])

    @property
    def looks(self) -> torch.Tensor:
        """(s, s, 5): albedo, roughness, metallic."""
        return torch.cat([self.albedo, self.gloss], -1)

    @property
    def environment(self) -> Environment:
        return Environment.of(torch.exp(self.light_raw), self.nearness)

    @property
    def edge(self) -> float:
        """Mean length of an edge, unit frame."""
        places = self.vertices.detach()[self.fans.faces]
        return float((places - places.roll(1, 1)).norm(dim=2).mean())

    def gain(self, view: int) -> torch.Tensor:
        return torch.exp(self.gains_raw[view])

    @torch.no_grad()
    def optics(self) -> Optics:
        """At the vertices: the mean over the charts' corners that meet there."""
        corners, fan = self.topology.faces.reshape(-1).long(), self.fans.fan.reshape(-1).long()
        found = bilinear(self.looks, self.fans.uv[fan][None])[0]
        total = torch.zeros(len(self.latent), 5, device=found.device).index_add(0, corners, found)
        count = torch.bincount(corners, minlength=len(self.latent)).clamp(min=1)
        mean = total / count[:, None]
        return Optics(mean[:, :3], mean[:, 3:4], mean[:, 4:])


def edge_texels(atlas: Atlas) -> float:
    """Mean length of an edge in the map."""
    uv = np.asarray(atlas.uv) * atlas.size
    return float(np.linalg.norm(uv - np.roll(uv, 1, axis=1), axis=2).mean())
