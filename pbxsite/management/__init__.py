"""The commands of manage.py, and what several of them need.

A command parses its arguments and prints; its work is done by the packages.
"""
