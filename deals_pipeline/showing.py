"""Texts from outside as one line, fit for a log, a message and a terminal: no escape sequence reaches it."""


def shown(text: str) -> str:
    """Return a text with a blank for each character that is not printed: line breaks, escapes, changes of direction."""
    return "".join(each if each.isprintable() else " " for each in text)


def escaped(text: str) -> str:
    """Return a text in which one sees such characters, so that one finds them."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
