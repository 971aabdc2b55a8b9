"""The matrix of root causes and stages: each cell is a command that is run with real processes."""
