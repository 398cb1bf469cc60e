"""The embedded backend: a small pixel-space diffusion model that edits what lies under the mask."""
