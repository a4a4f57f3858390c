"""Classic CT series: a folder, zip or file of single-frame CT images in, a derived series out."""

from unmetal.files.dicom.given_mask import read_mask
from unmetal.files.dicom.reading import read
from unmetal.files.dicom.segmentation import check_mask, write_mask
from unmetal.files.dicom.structure_set import write_contours
from unmetal.files.dicom.writing import write, zero_difference

__all__ = [
    "check_mask",
    "read",
    "read_mask",
    "write",
    "write_contours",
    "write_mask",
    "zero_difference",
]
