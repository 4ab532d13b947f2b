"""A benchmark's result as a page for people, and as Markdown.

Data flows: result → verdict in a sentence, tables, charts, gallery → page or markdown.
"""
