"""Inference through one protocol. Only `onnx_engine` and `transformers_engine` import heavy libraries."""
