"""stabilize: a shaky clip made steady; analyse, solve, render."""
