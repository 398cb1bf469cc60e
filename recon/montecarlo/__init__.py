"""Radiance by Monte Carlo: an environment drawn from by its brightness, GGX, shadow rays, and a denoiser."""
