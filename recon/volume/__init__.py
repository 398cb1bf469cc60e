"""The volumetric solver: a surface that a signed distance grid carries, so that it may change its genus."""
