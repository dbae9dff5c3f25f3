"""Dataset scoring: many clips, several methods, parallel, resumable, with confidence intervals and win rates."""
