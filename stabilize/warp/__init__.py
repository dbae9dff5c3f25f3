"""From a field of source coordinates to pixels."""
