"""Named configurations; each file begins with the command that runs it."""
