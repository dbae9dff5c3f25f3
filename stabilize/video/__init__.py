"""Decode and encode: native pixel formats, pts, tracks, colour and HDR tags (PyAV)."""
