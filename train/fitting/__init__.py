"""Fitting a network: phases, losses, rates, checkpoints and the history."""
