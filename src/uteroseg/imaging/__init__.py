"""Images and masks with their geometry, diffusion physics, resampling and measurements. No DICOM, no torch.

Coordinates are DICOM's: LPS, in mm. Arrays are ``[slice, row, column]``; stacks of them carry the b-value or
the channel first.
"""
