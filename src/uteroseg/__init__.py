"""uteroseg: tumour segmentation in pelvic diffusion-weighted MRI. Research use, not for diagnosis."""

__version__ = "0.1.0"

RESEARCH_USE = "Research use, not for diagnosis."
"""Stands wherever a result is shown or written."""
