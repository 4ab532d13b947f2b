"""`edgeclf fit`: the best classifier within a latency budget.

Data flows: candidates → probe and latency → search, which trains by halving → results → report.
"""
