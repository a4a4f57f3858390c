"""The one exception that a user can cause."""


class InputError(Exception):
    """Something that was given cannot be processed.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line prints it and exits with code 1; anything else that escapes is a bug of ours.
    """
