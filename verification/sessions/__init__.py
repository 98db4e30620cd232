"""Sessions: how long they last, what they may do, how they end.

`lifecycle` keeps them, `signed_in` lists and ends them.
"""
