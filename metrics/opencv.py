"""OpenCV without its type stubs: those of 5.0 lack the feature detectors and reject None for optional outputs."""

from __future__ import annotations

from typing import Any

import cv2 as _cv2

cv2: Any = _cv2
