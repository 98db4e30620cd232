"""The myApps protocol over WebSocket: clients that others wrote log in here.

`endpoint` lets connections in, `conversation` speaks with each of them. What is public
of the protocol, and what this site answers, stands in docs/myapps-clients.md.
"""
