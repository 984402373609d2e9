"""Scanner files in, DICOM out: scan, read b-values, series → `DwiStudy`, `Mask` → SEG. No torch."""
