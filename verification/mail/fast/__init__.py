"""The fast path of the mails: everything here is for speed, and could be left out.

A mail costs this site four things: rendering its texts, laying its message out,
claiming its row, and recording how far it came. Done for each mail alone, the rendering
takes several times as long as a quick server takes for the mail, laying out takes as
long as the server, and each statement waits for a commit. A morning's logins come all
at once, and a login lives for ten minutes; so this package does all four for many
mails together.

`merge` renders a template and lays its body out once for each kind and language, with
marks where the values belong, and puts each mail's values in. Without it, bare smtplib
sends less than half as many mails a second.

- It may change no byte: a message is what the standard library makes of what Django
  renders, apart from the boundary between its parts. A test compares both.
- It takes part only where that holds. The library makes the message if a context is not
  of strings alone, if a value could end a line or a part, if a line would be too long
  for SMTP, if there is an attachment, and for servers without 8BITMIME.
- It costs one rule: a template whose context is of strings alone may show the values,
  and may neither compare nor change them, since it is rendered before they are known.

`batches.Stock` claims several mails by one statement, and more of them in good time
while the earlier ones go out: the more, the quicker the server is.

- It may hold no more mails than a slow server takes soon, since no other worker can
  send what waits here; and urgent mails go before recordings that it holds already.

`batches.Recorder` lets one thread write for all that wait: the beginnings of their
contents, and which mails the server took, on PostgreSQL by a single statement.

- It may not let a content go out before its beginning is committed: that is how the
  sweep knows later whether a dead worker's mail may be sent again.
- It may keep what the server took until the next statement. If the process dies in
  between, the mail counts as unknown, not as unsent.
- It costs two spellings of the same step: the statement for PostgreSQL, and
  `claims.end` for a single mail. The same tests hold with both databases.

To leave all of it out, two modules change. `rendering` calls `render_to_string` and
fills an EmailMessage. `sending` takes mails by `claims.claim(1)` until there are none,
records a beginning by a guarded update of `data_began_at`, and the end by `claims.end`.
Nothing else in the mail system knows that this package exists.
"""
