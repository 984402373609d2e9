"""Scanner files in and DICOM out: scan folders, read b-values, series → `DwiStudy`, `Mask` → SEG. No torch."""
