#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The runner of the system tests against machines that are played by a shell here."""
import importlib.machinery
import importlib.util
import os
import shlex
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
loader = importlib.machinery.SourceFileLoader("run", os.path.join(ROOT, "tests", "system", "run"))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
loader.exec_module(run)


class RunnerTest(unittest.TestCase):
    def drive(self, machine, *steps, **how):
        scenario = {key: default for key, (_, default) in run.KEYS.items()}
        scenario |= {"name": "played", "steps": list(steps), **how}
        with tempfile.TemporaryDirectory() as folder:
            here = shlex.quote(folder)
            for step in steps:
                if "run" in step:
                    step["run"] = f"cd {here}; {step['run']}"
            with open(os.path.join(folder, "output.log"), "wb") as log:
                data, status, dialogue = run.drive(["sh", "-c", f"cd {here}; {machine}"], scenario,
                                                   log, 60)
        return run.clean(data), status, dialogue

    def test_a_line_of_the_machine_is_not_torn_by_what_a_helper_says(self):
        lines, status, dialogue = self.drive(
            "echo here; printf 'plinth: operator: po'; while ! [ -e go ]; do sleep 0.05; done;"
            "sleep 0.5; echo weroff; read line; echo $line",
            {"wait": "here"}, {"run": "echo help; touch go"}, {"wait": "^host: exit status 0"},
            {"wait": "poweroff"}, {"send": "bye\n"})
        self.assertEqual((status, dialogue.steps), (0, []))
        self.assertEqual([line for line in lines if line],
                         ["here", "host: help", "host: exit status 0", "plinth: operator: poweroff",
                          "bye"])

    def test_a_prompt_that_was_waited_for_is_not_met_again(self):
        lines, status, dialogue = self.drive(
            "printf 'plinth> '; read line; echo $line; printf 'plinth> '; read line",
            {"wait": "plinth> "}, {"run": "echo help"}, {"wait": "^host: help"},
            {"send": "one\n"}, {"wait": "plinth> "}, {"send": "two\n"})
        self.assertEqual((status, dialogue.steps), (0, []))
        self.assertEqual([line for line in lines if line],
                         ["plinth> ", "host: help", "host: exit status 0", "one", "plinth> "])

    def test_a_machine_is_killed_once(self):
        lines, status, _ = self.drive(
            "trap 'n=$((n + 1)); echo killed $n' TERM; echo here;"
            "while [ -z \"$n\" ]; do sleep 0.05; done;"
            "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05; echo $i; done",
            {"wait": "here"}, kill=True)
        self.assertEqual((status, [l for l in lines if "killed" in l]), (0, ["killed 1"]))


if __name__ == "__main__":
    unittest.main()
