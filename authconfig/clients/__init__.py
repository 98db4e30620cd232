"""The two kinds, and the client applications behind the site.

Each session is of one kind, myApps or myPBX (`session_kinds`). A client application
learns who logged in; `destinations` says where a login leads.
"""
