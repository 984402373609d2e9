"""Public cohorts of NCI Imaging Data Commons: what there is, which series are wanted, and how to get them."""
