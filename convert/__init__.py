"""A float model to TFLite files. Data flows: graph → techniques → quantize → verify."""
