"""What is wrong with a dataset, case by case and as a whole, with the fix for each. No torch, no pandas."""
