"""What is wrong with the site, and whom it tells.

`present` looks for what is wrong. `watch` notes when an alarm begins and when it is
over, each once, and has `mails` and `calls` carry it out of the house. `lookout` runs
that in every worker and scheduler, for what fails may be one of them.
"""
