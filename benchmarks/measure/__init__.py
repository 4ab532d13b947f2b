"""Measuring models: processes, rounds, memory, and the state of the machine.

Data flows: model_files → loaded_models in a worker → rounds → assembly → benchmark.
"""
