"""One-line meaning of each score of `robust`; docs/metrics.md has the details."""

from __future__ import annotations

MEANINGS = {
    "stability": "1 is a still camera; 0.71 at a vibration of 4.8 px, 0.45 at 9.6 px. Pans do not count.",
    "shake": "RMS distance of the picture's path from its own smooth (Gaussian, sigma 0.5 s).",
    "roll": "RMS rotation about the view axis, from its own smooth as shake.",
    "breathing": "RMS of the picture's scale about its own smooth (sigma 0.5 s): a zoom that comes and goes.",
    "zoom_speed": "Peak speed of the picture's scale; a zoom that was filmed counts too.",
    "vibration": "RMS displacement of the image between 1 and 12 Hz, in px of a frame 1920 px long.",
    "vibration_walk": "The part of the vibration from 1 to 4 Hz: steps, sway of a hand.",
    "vibration_tremor": "The part of the vibration from 4 to 12 Hz: tremor, engines, hard landings.",
    "acceleration": "RMS acceleration of the image up to 12 Hz.",
    "wobble": "RMS local motion relative to the frame's homography, 1 to 12 Hz. Moving objects add to it.",
    "itf": "PSNR of consecutive frames, unaligned. Pans lower it.",
    "itf_aligned": "PSNR of consecutive frames after alignment: flicker, ghosting and wobble lower it.",
    "visible": "Share of the input's area that the output shows, mean.",
    "visible_min": "The same in the worst frame.",
    "empty": "Share of the output's area that shows nothing of the input: borders, fills, inpainting; mean.",
    "empty_max": "The same in the worst frame.",
    "edge_hits": "Share of frames in which an edge of the output lies outside the input.",
    "distortion": "Smaller over larger singular value of input to output at the centre; 1 keeps shapes.",
    "distortion_min": "The same in the worst frame.",
    "sharpness": "RMS gradient over that of the input warped to the same place.",
    "crop_left": "Least share of the input's width cut off at this edge, mean; negative shows an empty border.",
    "crop_right": "As crop_left.",
    "crop_top": "Least share of the input's height cut off at this edge, mean.",
    "crop_bottom": "As crop_top.",
}
