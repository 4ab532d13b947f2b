"""The TFLite format: tables, tensors and operators, and the runtimes that compute them."""
