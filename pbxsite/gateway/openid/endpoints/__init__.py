"""What clients' servers ask, and no browser: tokens, UserInfo, keys, configuration.

`authentication` says which client asks, `serving` what one is told that gets nothing.
"""
