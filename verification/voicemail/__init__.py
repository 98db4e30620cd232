"""The voicemail object: the PBX posts a recording, and its user gets it by mail.

`flows.take` stores the recording and queues the mail; `recordings` keeps the files.
"""
