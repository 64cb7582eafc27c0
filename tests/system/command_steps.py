#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Steps made from core/commands.def, so that a new command cannot be forgotten, and the check that
each row is used in some scenario as it is meant to be:

    tests/system/command_steps.py       names the commands that no scenario uses; exit status 1 then
"""
import glob
import os
import re
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "../../core/commands.def")
ROW = re.compile(r'^(?:COMMAND|ACTION)\(\w+, "([^"]+)",\s+"((?:[^"\\]|\\.)*)"', re.M)
# What these say of a name that does not exist; all others: "no VM is called".
UNKNOWN = {"vm create": "expected KEY=VALUE|required|kernel", "store drop": "^nobody: "}
OPTIONAL = re.compile(r"\[[^\]]*\]")


def commands():
    """(name, usage) of every row."""
    with open(TABLE, encoding="utf-8") as f:
        return ROW.findall(f.read())


def wrong_uses():
    """Each command with an option that it does not have, without the words that it needs, and with
    a name that nobody has. None of these does anything."""
    steps = []
    for name, usage in commands():
        wanted = OPTIONAL.sub("", usage).split()
        refused = {"wait": rf"usage: {re.escape(name)} "}
        steps += [{"send": f"{name} --bogus x y\r"}, refused]
        if wanted:
            steps += [{"send": name + "\r"}, refused]
        if wanted and wanted[0].startswith("NAME"):
            line = " ".join([name, "nobody", *("1" for _ in wanted[1:])])
            steps += [{"send": line + "\r"},
                      {"wait": UNKNOWN.get(name, "no VM is called 'nobody'")}]
    return steps


def asked(step):
    """The line with each of the names in its place, and what is to be answered."""
    return [small for name, answer in zip(step["of"], step["answers"], strict=True)
            for small in ({"send": step["ask"].replace("@", name) + "\r"}, {"wait": answer})]


def lines_of(steps):
    """All lines that these steps type at the console or hand to ctl."""
    for step in steps:
        yield from re.split(r"[\r\n]+", step.get("send", "") or step.get("ask", ""))
        yield " ".join(step.get("ctl", []))
        yield from step.get("random", [])
        yield from lines_of(step.get("cycle", []))


def unused():
    """The commands that no scenario uses."""
    names = [name for name, _ in commands()]
    for path in glob.glob(os.path.join(HERE, "*.toml")):
        with open(path, "rb") as f:
            steps = tomllib.load(f).get("steps", [])
        lines = list(lines_of(steps))
        names = [n for n in names if not any((line + " ").startswith(n + " ") for line in lines)]
    return names


def main():
    missing = unused()
    for name in missing:
        print(f"no scenario uses the command '{name}'")
    print(f"commands: {len(commands())} in the table, {len(missing)} without a scenario")
    return 1 if missing or not commands() else 0


if __name__ == "__main__":
    sys.exit(main())
