"""News for open pages: event streams that tell what is pending and what was decided.

`hub` brings the news to this process, `streams` to its pages.
"""
