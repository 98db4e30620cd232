"""The embedded mode, which `make run` starts: a whole site on one machine.

`site` is its course; it plans ports, prepares the database and runs every process.
"""
