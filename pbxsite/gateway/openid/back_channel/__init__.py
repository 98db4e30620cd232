"""Tells clients that a session is over (OpenID Connect Back-Channel Logout 1.0).

A `Visit` is a session's login at a client that wants to hear of its end. Whatever ends
the session leaves the visit behind without one: such a row is the queue. `visits` keeps
the rows, `delivery` empties the queue; a lost broker delays it and loses nothing.
"""
