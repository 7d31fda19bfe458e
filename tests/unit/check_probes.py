#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_probes.py PROBES.H LIDARD LIBLIDARD - what the probes are, in the machine code.

Every probe that probes.h lists is there with as many arguments as it says and
with a semaphore; where it stands is a nop, and none but wake, whose argument
has to be computed, looks at its semaphore: nobody listens, nothing is done.
"""
import platform
import re
import shutil
import subprocess
import sys

NOTE = re.compile(r'Provider: (\S+)\s+Name: (\S+)\s+Location: (\S+), Base: (\S+), '
                  r'Semaphore: (\S+)\s+Arguments: *([^\n]*)')
COMPUTED = {'wake'}


def output(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True,
                          env={'LC_ALL': 'C', 'PATH': '/usr/bin:/bin'}).stdout


def documented(header, side):
    with open(header, encoding='utf-8') as f:
        text = f.read().replace('\\\n', ' ')
    line = re.search(rf'#define LIDARD_PROBES_OF_{side}\(X\)(.*)', text)[1]
    return {name: int(count) for name, count in re.findall(r'X\((\w+), (\d)\)', line)}


def instruction_at(program, address):
    text = output('objdump', '-d', f'--start-address={address}', f'--stop-address={address + 16}',
                  program)
    return re.search(r'^\s*[0-9a-f]+:\s+((?:[0-9a-f]{2} )+)\s+(\S+)', text, re.M)


def semaphores_read(program, addresses):
    """Which of them code loads: objdump names the address of what is relative to %rip."""
    text = output('objdump', '-d', '--no-show-raw-insn', program)
    used = {int(a, 16) for a in re.findall(r'\b(?:cmp|mov|test)\w* .*# ([0-9a-f]+) <', text)}
    return {name for name, address in addresses.items() if address in used}


def check(program, expected):
    problems = []
    addresses, found = {}, {}
    for provider, name, location, _, semaphore, arguments in NOTE.findall(
            output('readelf', '-n', '-W', program)):
        if provider != 'lidard':
            continue
        found[name] = found.get(name, 0) + 1
        addresses[name] = int(semaphore, 16)
        if len(arguments.split()) != expected.get(name):
            problems.append(f'{name}: arguments {arguments}, documented {expected.get(name)}')
        if addresses[name] == 0:
            problems.append(f'{name}: no semaphore')
        code = instruction_at(program, int(location, 16))
        if not code or code[2] != 'nop':
            problems.append(f'{name}: {code and code[0]} where a nop should be')
    problems += [f'{name}: not in {program}' for name in expected if name not in found]
    if platform.machine() == 'x86_64':
        read = semaphores_read(program, addresses)
        if read != COMPUTED & set(addresses):
            problems.append(f'semaphores that code looks at: {sorted(read)}')
    print(f'{program}: {sum(found.values())} places of {len(found)} probes')
    return problems


def main():
    header, daemon, library = sys.argv[1:]
    if not shutil.which('objdump') or not shutil.which('readelf'):
        print('no objdump or readelf')
        return 77
    problems = check(daemon, documented(header, 'DAEMON'))
    problems += check(library, documented(header, 'LIBRARY'))
    for p in problems:
        print(p)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
