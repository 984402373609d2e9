"""How many cases, which layers, when to train together: the grid of runs, each made once."""
