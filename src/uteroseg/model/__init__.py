"""What a model is without torch: its specification, its folder, its input (prepare) and the ONNX engine."""
