"""Forward authentication: a proxy asks for each request whose session it belongs to.

`application` answers the proxies, `handover` leads browsers to the login and back.
"""
