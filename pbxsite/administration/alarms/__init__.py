"""What is wrong with the site, and whom it tells.

`present` looks; `watch` notes when an alarm begins and is over, and `mails` and
`webhook` carry that out of the house.
"""
