"""What other libraries raise, told in one line."""

from __future__ import annotations

from occam.search.errors import LONGEST, in_one_line


def test_an_error_of_several_lines_and_colours_is_one_plain_line():
    error = ValueError("\x1b[1mInput 0\x1b[0m is\n\n  wrong.")
    assert in_one_line(error) == "ValueError: Input 0 is wrong"
    assert in_one_line(KeyError()) == "KeyError"
    assert len(in_one_line(ValueError("x" * 1000))) == LONGEST
