"""Gyroscope logs: readers, integration, synchronisation with a video, calibration. Imports nothing of `stabilize` or `metrics`."""
