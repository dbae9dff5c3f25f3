"""Decode and encode with PyAV: native pixel formats, pts, tracks, colour and HDR tags."""
