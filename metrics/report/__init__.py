"""A judgement as one self-contained HTML page."""
