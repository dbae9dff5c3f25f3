"""From a path's fields to pixels: which frames make an output frame, how they are put together, and on what device.

`run`: decode -> `matching` (on the path's timeline) -> `window` -> `schedule` -> `compose`, on one of `backends` ->
encode.
"""
