"""Learning curves: which runs there are, and running each once."""
