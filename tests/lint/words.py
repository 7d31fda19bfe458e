#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Words that have no place in the tree.

Notes to oneself (what is left to do belongs where it is tracked), paths of the
machine it was written on, and package registries (a build fetches nothing).
"""
import re

import tree

EXEMPT = ('LICENSES/',)

# in pieces, or this file would find itself
FORBIDDEN = [
    (re.compile(r'\b(' + '|'.join(['TO' 'DO', 'FIX' 'ME', 'X' 'XX', 'HA' 'CK']) + r')\b'),
     'a note to oneself'),
    (re.compile(r'(^|[^\w.])/' + r'(work|root)/\w'), 'a path of one machine'),
    (re.compile(r'\b(' + '|'.join(h.replace('.', r'\.') for h in (
        'py' 'pi.org', 'files.python' 'hosted.org', 'registry.npm' 'js.org', 'crates' '.io',
        'proxy.go' 'lang.org', 'deb.deb' 'ian.org', 'rubygems' '.org')) + r')\b'),
     'a package registry'),
]


def check(root, path):
    if path.startswith(EXEMPT):
        return []
    found = []
    for number, line in enumerate(tree.text_lines(root, path) or [], 1):
        for pattern, what in FORBIDDEN:
            match = pattern.search(line)
            if match:
                found.append((number, f'{what}: {match[0].strip()}'))
    return found


SAMPLES = [
    ('daemon/a.c', '/* all done */\nmkdtemp("/tmp/a-XX' 'XXXX");\n', None),
    ('docs/a.md', 'see HACKING.md, in the network/work/x folder\n', None),
    ('daemon/a.c', '/* TO' 'DO: more */\n', 'a note to oneself'),
    ('tests/a.py', '# FIX' 'ME\n', 'a note to oneself'),
    ('docs/a.md', 'X' 'XX later\n', 'a note to oneself'),
    ('daemon/a.h', 'HA' 'CK\n', 'a note to oneself'),
    ('tests/a.sh', 'cd /wo' 'rk/main\n', 'a path of one machine'),
    ('tests/a.sh', 'a=/ro' 'ot/x\n', 'a path of one machine'),
    ('tests/a.sh', 'fetch https://py' 'pi.org/simple\n', 'a package registry'),
]

if __name__ == '__main__':
    tree.main(check, SAMPLES)
