"""The command line: parse, call, print. Heavy packages are imported by the command that needs them."""
