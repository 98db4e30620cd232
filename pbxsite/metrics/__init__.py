"""What Prometheus reads at /metrics.

`tallies` keeps totals that only grow; `views` adds what the queue's report measures.
"""
