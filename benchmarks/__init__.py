"""Speed and quality against peers, in one run, as ratios. The judge shares no code with `stabilize`."""
