"""How good a mask is against the truth. No torch."""
