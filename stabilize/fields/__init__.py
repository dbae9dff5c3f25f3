"""Fields over the picture: what motion, path and render all stand on."""
