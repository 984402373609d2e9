"""The BIDS cohort on disk: layout, participants, cases, masks and their versions, splits. No torch."""
