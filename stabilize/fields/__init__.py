"""Fields over the picture, and groups of maps: what motion, path and rendering share."""
