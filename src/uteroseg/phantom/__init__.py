"""Virtual patients: anatomy, tumour, signal and acquisition, as studies with masks. No torch."""
