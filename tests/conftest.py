"""What holds for all tests."""

import signal

# A shell that starts the tests in the background lets them, and all that they start, ignore Ctrl-C; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
