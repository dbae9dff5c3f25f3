"""Procedural clips with known motion, lens, shutter and gyro. Shares no code with `stabilize`."""
