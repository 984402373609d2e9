"""The report of an experiment: from its tables to one page. No torch."""
