"""DeepLab V3+ from segmentation_models_pytorch: build, layer groups, ONNX export."""
