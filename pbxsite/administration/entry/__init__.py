"""Whether users can log in, and why not: the facts, the answers, and the view of both.

The policy decides (`authconfig.policy.obstacles`); here it is asked about many users.
"""
