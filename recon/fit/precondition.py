"""Steps that move a surface smoothly: coordinates u = (I + stiffness L) x, after Nicolet et al., Large Steps, 2021."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_matrix, csc_matrix, identity
from scipy.sparse.linalg import splu


def laplacian(faces: np.ndarray, vertex_count: int) -> csc_matrix:
    """(n, n) combinatorial Laplacian: degree on the diagonal, -1 for each edge."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    once = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(vertex_count, vertex_count)).tocsc()
    adjacency = ((once + once.T) > 0).astype(np.float64)
    degree = np.asarray(adjacency.sum(0)).ravel()
    return (coo_matrix((degree, (range(vertex_count), range(vertex_count)))) - adjacency).tocsc()


class Preconditioner:
    """Factored once for a topology. Arrays are (n, k) float32 on any device; the solve runs on the CPU in float64."""

    def __init__(self, faces: np.ndarray, vertex_count: int, stiffness: float) -> None:
        self.matrix = (identity(vertex_count, format="csc") + stiffness * laplacian(faces, vertex_count)).tocsc()
        ordering = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
        self.factor = splu(self.matrix, **ordering)

    def latent(self, values: torch.Tensor) -> torch.Tensor:
        """u of x."""
        return torch.as_tensor(self.matrix @ values.detach().cpu().numpy().astype(float)).to(values)

    def values(self, latent: torch.Tensor) -> torch.Tensor:
        """x of u, with gradients."""
        return _Solve.apply(latent, self)

    def solve(self, right: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.factor.solve(right.detach().cpu().numpy().astype(float))).to(right)


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, latent: torch.Tensor, preconditioner: Preconditioner) -> torch.Tensor:
        ctx.preconditioner = preconditioner
        return preconditioner.solve(latent)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple:
        return ctx.preconditioner.solve(gradients[0]), None


class UniformAdam(torch.optim.Optimizer):
    """Adam whose second moment is the greatest over all entries, so that a step keeps its direction in space."""

    def __init__(self, parameters: Any, lr: float, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state.update(steps=0, first=torch.zeros_like(parameter), second=torch.zeros_like(parameter))
                state["steps"] += 1
                fall, slow = group["betas"]
                state["first"].lerp_(parameter.grad, 1 - fall)
                state["second"].lerp_(parameter.grad**2, 1 - slow)
                first = state["first"] / (1 - fall ** state["steps"])
                second = state["second"].max() / (1 - slow ** state["steps"])
                parameter -= group["lr"] * first / (second.sqrt() + 1e-12)
