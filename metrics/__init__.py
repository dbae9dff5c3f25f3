"""The judge of stabilised video. Imports nothing of `stabilize` or `gyro`."""
