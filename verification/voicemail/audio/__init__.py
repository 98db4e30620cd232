"""What a recording is: its media type, its length, and a smaller form of it."""
