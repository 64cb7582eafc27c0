# SPDX-License-Identifier: BSD-2-Clause
"""What every part of tools/plinth shares: where things are, how it fails, how it talks.

A mistake of the user or of the machine is a Failure with the exit status it ends in; nothing but
tools/plinth itself catches it. Progress goes to stderr: stdout belongs to the machine's console.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")

# Exit statuses of tools/plinth; docs/testing.md lists them for users.
OK, VM_FAILED, BAD_CONFIG, PANIC, TIMEOUT = 0, 1, 2, 3, 124

SIZE_UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Failure(Exception):
    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


def say(text):
    print(f"plinth-tool: {text}", file=sys.stderr, flush=True)


def parse_size(text):
    """'512M', '6G' or '512' (MiB) in bytes."""
    found = re.fullmatch(r"(\d+)\s*([KMG]?)(?:i?B)?", text.strip(), re.I)
    if not found or int(found.group(1)) == 0:
        raise Failure(f"'{text}' is not a size; write 512M or 6G", BAD_CONFIG)
    return int(found.group(1)) * SIZE_UNITS[found.group(2).upper()]


def run_quietly(command, what, env=None, cwd=None):
    """Runs a helper program; its words are shown only when it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=env, cwd=cwd, check=False)
    except OSError as error:
        raise Failure(f"{what}: cannot run {command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        tail = done.stdout.decode(errors="replace").strip().split("\n")[-8:]
        raise Failure(f"{what}: {os.path.basename(command[0])} failed:\n  " + "\n  ".join(tail))
    return done.stdout


def need_packages(stage):
    """tools/setup installs what the stage lacks, or names it and fails."""
    done = subprocess.run(["sh", "tools/setup", stage], cwd=ROOT, check=False)
    if done.returncode != 0:
        raise Failure(f"packages for '{stage}' are missing, see above")
