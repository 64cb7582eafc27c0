#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""That tracing costs an exit nothing while it is off: in the code as it was compiled, nothing on the
way from an exit to the next entry asks whether anybody records (trace_kinds). What asks is said
here: where a turn begins, which entry it takes, and that entry. Needs `make all`."""
import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# All that an exit can run before the guest goes on: dispatch, the handlers, what injects.
EXIT_PATH = ("arch/x86/vmx/exit arch/x86/vmx/enter arch/x86/vmx/event core/exit core/io_exit "
             "core/msr_exit core/cr_exit core/task_exit core/mmio core/emulate core/cpuid core/bus "
             "core/hypercall core/event core/interrupt").split()
ASKS = {"vmx_run", "vmx_run_observed"}      # once a turn; only while somebody observes


def users(path):
    """Functions of an object file that refer to trace_kinds."""
    text = subprocess.run(["objdump", "-dr", path], capture_output=True, text=True,
                          check=True).stdout
    function, found = "", set()
    for line in text.splitlines():
        head = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        if head:
            function = head[1]
        elif re.search(r"R_X86_64_\w+\s+trace_kinds\b", line):
            found.add(re.sub(r"\.(cold|part|constprop|isra)\b.*", "", function))
    return found


class Off(unittest.TestCase):
    def objects(self):
        found = {}
        for folder, _, names in os.walk(os.path.join(ROOT, "build", "kernel")):
            for name in names:
                for part in EXIT_PATH + ["core/sched"]:
                    if os.path.join(folder, name).endswith(f"/{part}.o"):
                        found[part] = os.path.join(folder, name)
        return found

    def test_no_exit_asks(self):
        found = self.objects()
        self.assertGreaterEqual(set(found), {"arch/x86/vmx/exit", "core/exit", "core/sched"})
        asking = {(part, name) for part in EXIT_PATH if part in found
                  for name in users(found[part])}
        self.assertEqual({name for _, name in asking} - ASKS, set())

    def test_the_scheduler_does(self):
        self.assertTrue(users(self.objects()["core/sched"]))    # or this test sees nothing


if __name__ == "__main__":
    unittest.main()
