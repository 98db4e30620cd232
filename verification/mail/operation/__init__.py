"""What operators see of the outgoing queue and do with it.

`overview` counts, `history` and `outcomes` tell what became of a mail, and `actions`
are the buttons.
"""
