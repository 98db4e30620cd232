"""How client applications learn who has logged in.

`forward` answers the proxy in front of an application, `openid` the application itself.
`myapps` is for clients of the myApps protocol, which log in themselves.
"""
