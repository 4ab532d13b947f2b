"""A float model to TFLite files. Data flows: graph → rewrite → equalize → emit → verify → gate."""
