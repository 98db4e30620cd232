"""The cache in Redis: JSON that this site has signed, never pickle.

Redis is not trusted: whoever writes to it must neither run code in our processes nor
decide whom they let in. What was not written by this site is a miss.
"""
