"""The report of a bulk run: one page."""
