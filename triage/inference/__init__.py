"""Inference behind one protocol. `onnx_engine` and `transformers_engine` are leaves: they import heavy libraries."""
