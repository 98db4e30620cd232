"""What the web process does before Django sees a request.

It limits bodies and event streams, answers proxies, and tells systemd when it is ready.
"""
