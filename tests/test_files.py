"""Files are written whole; what is no file is written into."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from occam.search.files import write, written_whole


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / "kept.txt"
    write(path, "before")

    def half() -> None:
        with written_whole(path) as part:
            part.write_text("ha")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        half()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    end, link = tmp_path / "end.txt", tmp_path / "link.txt"
    link.symlink_to(end)
    write(link, "there")
    assert link.is_symlink()
    assert end.read_text() == "there"


def test_a_pipe_is_written_into(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe, "through")
    reader.join(10)
    assert read == ["through"]


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
def test_so_is_what_another_program_reads():
    code = "from pathlib import Path; from occam.search.files import write; "
    code += "write(Path('/dev/stdout'), 'out')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "out"
