#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Count what meson's test logs say passed, failed and was skipped; name every skip.
What failed comes last, with the lines that say why: the end of a log is what is kept.

A skip is excused only where this machine cannot run the test: its reason must
begin with one of EXCUSES, and the excuse must hold.
"""
import collections
import json
import os
import re
import subprocess
import sys


def data_is_absent(_run):
    root = os.environ.get("LIDARD_TEST_DATA") or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "lidar")
    return not os.path.isdir(root)


def may_not_unshare(_run):
    return subprocess.run(["unshare", "--mount", "--ipc", "--pid", "--fork", "true"],
                          check=False, capture_output=True).returncode != 0


def not_root(_run):
    return os.geteuid() != 0


def no_debug_kernel(_run):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vm", "debug-kernel")
    return subprocess.run([script, "--path"], check=False, capture_output=True).returncode != 0


def is_instrumented(run):
    return run in ("sanitize", "tsan", "valgrind")


# What a skip's reason begins with, or, for data, ends with -> does it hold, of this machine and this run?
EXCUSES = {
    "no test data": data_is_absent,
    "needs root": not_root,
    # it would get the test's message
    "there is a journal": lambda _run: os.path.exists("/run/systemd/journal/socket"),
    # valgrind 3.19 does not know the system call
    "no pidfd_open()": lambda run: run == "valgrind",
    # sanitizers and valgrind do not follow a second link-map namespace
    "iceoryx is loaded plainly": is_instrumented,
    "a sanitize": is_instrumented,
    "needs namespaces": may_not_unshare,
    # ten minutes that not every run of the tests needs to take
    "no debug kernel": no_debug_kernel,
    # lidar-compliance: minutes each, for who works on the module
    "takes long: --slow": lambda _run: True,
    # lidar-compliance asks what a device without it says; the one in the guest has it
    "the device knows": lambda _run: True,
    # it needs a kernel module: these runs are on the machine itself, others in a guest that has it
    "no LIDAR device": lambda run: run in ("plain", "sanitize", "valgrind"),
}


def is_excused(run, reason):
    if reason.endswith("(LIDARD_TEST_DATA)"):
        return data_is_absent(run)
    return any(reason.startswith(start) and check(run) for start, check in EXCUSES.items())


def skip_reasons(entry):
    """Reasons in a test's output: TAP '# SKIP why' or a line 'SKIP: why'."""
    out = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    found = re.findall(r"# SKIP[:]?\s*(.*)", out) + re.findall(r"^SKIP: (.*)", out, re.M)
    return [reason.strip() for reason in found] or ["(no reason given)"]


PASSED = ("OK", "SKIP", "EXPECTEDFAIL")
SAYS_WHY = re.compile(r"^not ok|\bFAIL|Assertion|Error|^(# )?\S+:\d+: |ERROR: |runtime error|WARNING: ThreadSanitizer")
LINES_OF_A_FAILURE = 15


def why_it_failed(entry):
    """The last lines that accuse; if none does, how far it came and the last lines of all."""
    lines = (entry.get("stdout", "") + "\n" + entry.get("stderr", "")).splitlines()
    passed = [line for line in lines if line.startswith("ok ")]
    lines = [line for line in lines if line.strip() and not line.startswith("ok ")]
    accusing = [line for line in lines if SAYS_WHY.search(line)]
    if accusing:
        return accusing[-LINES_OF_A_FAILURE:]
    return [f"the last that passed: {passed[-1]}"] * bool(passed) + lines[-LINES_OF_A_FAILURE:]


def read_results(paths):
    for path in paths:
        run = os.path.basename(path).removesuffix(".json")
        for line in open(path, encoding="utf-8"):
            yield run, json.loads(line)


def print_skips(skips):
    """Returns how many this machine could have run."""
    bad = 0
    for (run, name, reason), times in skips.items():
        excused = is_excused(run, reason)
        bad += 0 if excused else times
        print(f"skipped{'' if excused else ' (THIS MACHINE COULD RUN IT)'}: {run}: {name}: {reason}"
              + (f" ({times} times)" if times > 1 else ""))
    print(f"{sum(skips.values())} skipped")
    return bad


def main():
    counts = collections.Counter()
    skips = collections.Counter()
    failures = []
    for run, entry in read_results(sys.argv[1:]):
        counts[entry["result"]] += 1
        if entry["result"] == "SKIP" or re.search(r"^ok .*# SKIP", entry.get("stdout", ""), re.M):
            skips.update((run, entry["name"], reason) for reason in skip_reasons(entry))
        if entry["result"] not in PASSED:
            failures.append((run, entry))
    print(", ".join(f"{n} {result}" for result, n in sorted(counts.items())) or "nothing ran")
    bad = print_skips(skips)
    for run, entry in failures:
        print(f"failed: {run}: {entry['name']}: {entry['result']} after {entry['duration']:.1f} s")
        print("\n".join("    " + line[:300] for line in why_it_failed(entry)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
