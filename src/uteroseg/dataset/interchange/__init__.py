"""Images as others lay them out, to a dataset: NIfTI with ``.bval``, nnU-Net, the Decathlon."""
