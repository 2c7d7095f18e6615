"""Files are written whole; what is no file is written into."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from occam.search.files import takes_files, write, written_whole

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
NOBODY = 65533  # a user without a name


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


def as_nobody(code: str) -> str:
    """What a program prints that has become a user without a name, and without a home."""
    become = f"import os, pwd\nfrom occam.search.files import *\nos.setuid({NOBODY})\n"
    command = [sys.executable, "-c", become + code]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@ROOT
def test_an_account_without_a_name_has_a_home_that_libraries_can_ask_for():
    assert as_nobody("give_home(); print(Path.home())") == "/nonexistent"


@ROOT
def test_a_closed_folder_takes_no_files(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert takes_files(closed / "new")
    assert as_nobody(f"print(takes_files(Path({str(closed)!r}, 'new')))") == "False"
