"""The only bridge to `gyro`: find the log of a video, synchronise it, and compute how its rotation moves each frame."""
