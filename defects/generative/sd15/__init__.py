"""Stable Diffusion 1.5 as a backend of the photo route: inpainting and ControlNet, taught from a handful of images."""
