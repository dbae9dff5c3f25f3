"""Scoring a dataset: many clips, several methods, in parallel, resumable, with intervals and win rates."""
