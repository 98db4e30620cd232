"""Approval: from a pending login to its decision.

`flows` decides; the waiting page, the link of the mail and the banner ask it.
"""
