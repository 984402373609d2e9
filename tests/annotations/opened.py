"""Masks straight from annotation files."""

from uteroseg.annotations.file import open_annotation
from uteroseg.annotations.regions import Choice, choose


def read_annotation(path, *, choice=None, grid_of=lambda instances, points: None):
    """The tumour, on the grid that it was drawn on."""
    return open_annotation(path).mask(choice, grid_of)


def read_seg(path, *, choice=None):
    """The voxels of a segment, which can be empty."""
    file = open_annotation(path)
    return file.draw(choose(file.regions, choice or Choice(), path))
