"""From two frames to the motion between them."""
