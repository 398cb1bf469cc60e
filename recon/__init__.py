"""Turntable captures become textured, metric, relightable meshes, with a verdict on how far to trust them."""
