"""uteroseg: tumour segmentation in pelvic diffusion-weighted MRI. Research use, not for diagnosis."""

__version__ = "0.1.0"
