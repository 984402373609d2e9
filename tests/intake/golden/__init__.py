"""What c24f040 made of small virtual sources, and those sources again.

The record was made in a checkout of that commit, and can be made so again:

    PYTHONPATH=<checkout of c24f040>/src python -m tests.intake.golden
"""
