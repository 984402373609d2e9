"""The tables of an experiment: write, read, check, aggregate. No torch."""
