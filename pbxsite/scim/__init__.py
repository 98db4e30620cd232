"""The SCIM 2.0 server (RFC 7643, 7644): providers of users write them here.

`views` lets in whoever shows the key. The protocol itself is a library's, which is read
at the first request alone: sites that no provider writes to need not hold it.
"""
