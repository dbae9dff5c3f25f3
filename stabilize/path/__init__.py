"""From the motion of the camera to a steady path inside the crop."""
