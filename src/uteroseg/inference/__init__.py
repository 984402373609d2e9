"""Predict a study and write what was found. No torch."""
