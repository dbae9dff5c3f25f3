"""Gyroscope logs: readers, integration, synchronisation, calibration. Imports nothing of `stabilize` or `metrics`."""
