"""Accelerators: a GPU, an NPU or a TFLite delegate, which computes once it was tried."""
