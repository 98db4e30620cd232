"""The OpenID provider: client applications learn by it who has logged in."""
