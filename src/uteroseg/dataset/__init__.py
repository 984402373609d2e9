"""The BIDS cohort on disk: layout, participants, cases, splits, and how DICOM studies enter it. No torch."""
