"""What many tests share: servers of every kind, and readers of what they say."""
