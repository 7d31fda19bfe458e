#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every text file says its licence in the first five lines, and the right one."""
import fnmatch
import re

import tree

FIRST_LINES = 5

# Data says nothing of itself; licence texts are what they are.
EXEMPT = ['LICENSES/*', '*.json', '*.svg', '*.csv', '*.pcap', '*.pcapng', '*.hex',
          'tests/*/corpus/*', 'tests/*/data/*']

BOTH = 'Apache-2.0 OR GPL-2.0'
# the first pattern that matches decides
LICENCES = [
    ('include/uapi/*', '(GPL-2.0 WITH Linux-syscall-note) OR MIT'),
    ('kmod/*', 'GPL-2.0'),
    ('*.bpf.c', 'GPL-2.0'),
    # part of the BPF programs, too
    ('include/lidard/*.h', BOTH),
    ('common/histogram.h', BOTH),
    ('trace/kernel.h', BOTH),
    ('trace/thread.h', BOTH),
    ('trace/trace.h', BOTH),
    ('*', 'Apache-2.0'),
]

# the tag in two parts: this file has one line of its own
TAG = re.compile('SPDX-License-' + r'Identifier:\s*(.*?)\s*(?:\*/|-->|\*\))?\s*$')


def right_licence(path):
    return next(licence for pattern, licence in LICENCES if fnmatch.fnmatch(path, pattern))


def check(root, path):
    if any(fnmatch.fnmatch(path, p) for p in EXEMPT):
        return []
    lines = tree.text_lines(root, path)
    if not lines:
        return []
    right = right_licence(path)
    for number, line in enumerate(lines[:FIRST_LINES], 1):
        match = TAG.search(line)
        if match and match[1] == right:
            return []
        if match:
            return [(number, f'licence {match[1]}, should be {right}')]
    return [(1, f'no SPDX line in the first {FIRST_LINES} lines; should be {right}')]


def tagged(licence, before='/* ', after=' */\n'):
    return before + 'SPDX-License-' + 'Identifier: ' + licence + after


SAMPLES = [
    ('daemon/a.c', tagged('Apache-2.0'), None),
    ('docs/a.md', tagged('Apache-2.0', '<!-- ', ' -->\n'), None),
    ('tests/a.py', '#!/usr/bin/env python3\n' + tagged('Apache-2.0', '# ', '\n'), None),
    ('daemon/a.c', 'int a;\n', 'no SPDX line'),
    ('daemon/a.c', '\n' * 5 + tagged('Apache-2.0'), 'no SPDX line'),
    ('daemon/a.c', tagged('MIT'), 'should be Apache-2.0'),
    ('meson.build', 'a = 1\n', 'no SPDX line'),
    ('systemd/a.service.in', '[Unit]\n', 'no SPDX line'),
    ('kmod/a.c', tagged('GPL-2.0', '// ', '\n'), None),
    ('kmod/a.c', tagged('Apache-2.0'), 'should be GPL-2.0'),
    ('trace/a.bpf.c', tagged('Apache-2.0'), 'should be GPL-2.0'),
    ('include/lidard/frame.h', tagged('Apache-2.0'), 'should be Apache-2.0 OR GPL-2.0'),
    ('include/uapi/a.h', tagged('(GPL-2.0 WITH Linux-syscall-note) OR MIT'), None),
    ('include/uapi/a.h', tagged('GPL-2.0'), 'Linux-syscall-note'),
    ('LICENSES/x.txt', 'Permission is granted\n', None),
]

if __name__ == '__main__':
    tree.main(check, SAMPLES)
