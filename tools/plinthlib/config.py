# SPDX-License-Identifier: BSD-2-Clause
"""Asks build/config-check about a configuration, and finds the files that one names.

The parser is the hypervisor's own (core/config.c). Only where it has refused a file, and the user
wants to see what the hypervisor itself says to that (--unchecked), and to find out which
assets are wanted before they exist, is the text scanned for kernel=, initrd= and modules= lines.
"""
import json
import os
import re
import subprocess

from plinthlib.base import BAD_CONFIG, BUILD, ROOT, Failure, run_quietly

CHECKER = os.path.join(BUILD, "config-check")
FILE_LINE = re.compile(r"^[ \t]*(kernel|initrd|modules)[ \t]*=[ \t]*(\"[^\"\n]*\"|[^#\s][^\n]*?)"
                       r"[ \t]*(?:[ \t]#[^\n]*)?\r?$", re.M)


def read_text(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", BAD_CONFIG) from None


def files_named(path):
    """Files of kernel=, initrd= and modules= in the text, each once; no judgement of the rest."""
    text = read_text(path).decode("utf-8", errors="replace")
    found = []
    for key, value in FILE_LINE.findall(text):
        value = value.strip().strip('"')
        if key == "modules":  # PATH [ARGUMENTS], ...
            found += [entry.split()[0] for entry in value.split(",") if entry.strip()]
        else:
            found.append(value)
    return list(dict.fromkeys(found))


def beside(config, name):
    """A file named in a configuration is relative to the configuration's folder."""
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(config)), name))


def build_checker():
    if not os.path.exists(CHECKER):
        run_quietly(["make", "-s", "build/config-check"], "config-check", cwd=ROOT)


def check(path, extra=()):
    """Runs the checker with its own words on our stdout and stderr; returns its exit status."""
    read_text(path)
    build_checker()
    return subprocess.run([CHECKER, *extra, path], check=False).returncode


def load(path):
    """The checked configuration as a dictionary; Failure when it has errors (printed already)."""
    read_text(path)
    build_checker()
    done = subprocess.run([CHECKER, "--json", path], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Failure(f"{path} has errors, see above", BAD_CONFIG)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Failure("build/config-check printed no JSON; try 'make clean'") from None


def files_of(config):
    """Kernel, initrd and module paths of a load()ed configuration, in order, each once."""
    found = []
    for vm in config.get("vms", []):
        found += [vm.get("kernel"), vm.get("initrd")]
        found += [module.get("path") for module in vm.get("modules", [])]
    return list(dict.fromkeys(f for f in found if f))


def memory_of(config):
    """Bytes that the guests want together."""
    return sum(int(vm.get("memory") or 0) for vm in config.get("vms", []))
