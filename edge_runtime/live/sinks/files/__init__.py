"""Sinks that write files: lines, pictures and videos."""
