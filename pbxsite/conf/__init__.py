"""Settings that take more than a line: settings.py names them, this package makes them.

Nothing here reads the environment; the values come from settings.py.
"""
