"""Access tokens that stand in for the e-mail account's password (RFC 6749).

It offers Configuration, token_for() and its kin in `keeping`, what the page needs in
`authorization`, how the token stands in `standing`, and TokenError.
"""
