"""PBX users as a directory has them: what a run would do, and doing it.

`plan` decides and is pure; `reading` asks the directory, `applying` writes, and `runs`
does one after the other, one run at a time.
"""
