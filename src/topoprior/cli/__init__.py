"""The command line: arguments in, one public call, a table, picture or file out. No logic."""
