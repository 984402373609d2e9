"""Python in a process of its own, which a test can kill."""

import os
import subprocess
import sys
import time
from pathlib import Path


def begin(script, *arguments, **options):
    """Run a script that can import the tests too."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **options)


def kill_at(process, beginning, delay=0.0):
    """Kill it a moment after it printed a line that begins so; it must not have ended before."""
    with process:
        for line in process.stdout:
            if line.startswith(beginning):
                time.sleep(delay)
                process.kill()
                break
    assert process.returncode != 0


def alive(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return False
