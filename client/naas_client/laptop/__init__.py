"""A person's own computer: sign in once by device code, then tokens and storage credentials without another program."""
