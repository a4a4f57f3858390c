"""Classic CT series: a folder, zip or file of single-frame CT images in, a derived series out."""

from unmetal.data.dicom.difference import blank
from unmetal.data.dicom.reading import read
from unmetal.data.dicom.segmentation import check_mask, write_mask
from unmetal.data.dicom.writing import write

__all__ = ["blank", "check_mask", "read", "write", "write_mask"]
