"""Classic CT series: a folder, zip or file of single-frame CT images in, a derived series out."""

from unmetal.data.dicom.reading import read
from unmetal.data.dicom.writing import write

__all__ = ["read", "write"]
