"""What comes in (DICOM, NIfTI, nnU-Net, the Decathlon, public collections) to a dataset."""
