"""Other libraries' errors in one line."""


def why(error: BaseException) -> str:
    """The line of an error's message that says most, without addresses of source files.

    ITK puts the place in its own code first and the reason last; pydicom lists its decoders, none
    of which knows more than the answer given here.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if "raised by all available plugins" in lines[0]:
        return "damaged, truncated, or in an encoding that no decoder here reads"
    telling = [line for line in lines if line.startswith(("Reason:", "[nrrd]", "sitk::ERROR"))]
    return (telling or lines)[-1][:300]
