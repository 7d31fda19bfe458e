#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which folder may use which: every #include line against one table.

The same table stands in docs/ARCHITECTURE.md; this check compares them
(--print-table writes it).  Sources name headers of the tree by their path
from its root, contracts as "lidard/x.h".
"""
import fnmatch
import os
import re
import sys

import tree

# folder: (folders whose headers it may include, what else there is to say)
TABLE = {
    'include': (['include/lidard'], 'contracts; libc types only'),
    'common': (['common', 'include/lidard'], 'header-only helpers'),
    'kmod': (['kmod', 'include/uapi'], 'kernel module'),
    'decoder': (['decoder', 'common', 'include/lidard'],
                'packets of sensors to points; in lidard and in liblidard'),
    'daemon': (['daemon', 'decoder', 'common', 'include/lidard'], 'lidard'),
    'libclient': (['libclient', 'decoder', 'common', 'include/lidard'], 'liblidard'),
    'tools': (['tools', 'trace', 'common', 'include/lidard'],
              'lidarctl and friends; of libclient only its public API, of trace only its reader'),
    'trace': (['trace', 'common', 'include/lidard'],
              'BPF programs, their loader, and a reader of their maps; common for the one '
              'bucketing of latencies'),
    'bench': (['bench', 'daemon', 'decoder', 'libclient', 'common', 'include/lidard',
               'include/uapi'],
              'benchmarks; they may measure a part of the daemon by itself'),
    'tests': (['tests', 'daemon', 'decoder', 'libclient', 'tools', 'trace', 'bench', 'common',
               'include/lidard', 'include/uapi', 'kmod/ring.h'], 'nobody uses it'),
}

# what only few files may include: (headers, files, why)
RESERVED = [
    (['iceoryx*', 'iox/*', 'iox-*'],
     ['daemon/sink_iox.c', 'daemon/*_iox.c', 'daemon/reclaim*.c', 'libclient/transport_iox*',
      'bench/*', 'tests/*'],
     'iceoryx stays behind the transport'),
    (['uapi/*', 'include/uapi/*'],
     ['daemon/source_device.c', 'daemon/device*', 'tools/lidar-compliance*', 'kmod/*', 'bench/*', 'tests/*'],
     'the kernel interface stays behind source_device'),
]

# folders whose files may name a header of their own folder without its path
PLAIN_NAMES = ('kmod', 'trace')

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
ROW = '| `{}/` | {} | {} |'


def table_lines():
    yield '| folder | may use | |'
    yield '|---|---|---|'
    for folder, (uses, what) in TABLE.items():
        yield ROW.format(folder, ', '.join(f'`{u}`' for u in uses), what)


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, p) for p in patterns)


def folder_of(header):
    """The folder of the table that a header named in an include line belongs to."""
    if header.startswith('lidard/'):
        return 'include/lidard'
    if header.startswith('uapi/'):
        return 'include/uapi'
    if header == 'kmod/ring.h':
        # the one header of the module that is no kernel code
        return header
    return header.split('/')[0]


def check_quoted(path, header):
    folder = path.split('/')[0]
    if '..' in header.split('/'):
        return 'name the header by its path from the root of the tree'
    if header.startswith('include/'):
        return f'say "{header[len("include/"):]}"'
    if '/' not in header:
        return None if folder in PLAIN_NAMES else f'say "{folder}/{header}", or <{header}>'
    used = folder_of(header)
    if used == 'tests' and folder != 'tests':
        return 'nobody but tests/ uses tests/'
    if used == 'include/uapi' and matches(path, RESERVED[1][1]):
        return None
    if used not in TABLE[folder][0]:
        return f'{folder}/ may not use {used}/'
    return None


def check_example(bracket, header):
    if bracket == '"':
        return 'an example includes what is installed, as <lidard/x.h>'
    if header.startswith(('daemon/', 'decoder/', 'common/', 'libclient/', 'tools/')):
        return 'an example includes nothing that is not installed'
    return None


def check_line(path, bracket, header):
    for headers, allowed, why in RESERVED:
        if matches(header, headers) and not matches(path, allowed):
            return why
    if '/examples/' in path:
        # what a user would write, so nothing but what is installed
        return check_example(bracket, header)
    if bracket == '<':
        if header.startswith(('lidard/', 'daemon/', 'decoder/', 'common/', 'libclient/', 'tools/')):
            return f'say "{header}"'
        return None
    return check_quoted(path, header)


def check_sources(root, path):
    if path.split('/')[0] not in TABLE:
        return [(1, f'folder not in the table of {os.path.basename(__file__)}')]
    found = []
    for number, line in enumerate(tree.text_lines(root, path) or [], 1):
        match = INCLUDE.match(line)
        sentence = match and check_line(path, match[1], match[2])
        if sentence:
            found.append((number, f'{match[2]}: {sentence}'))
    return found


def check_document(root, path):
    lines = tree.text_lines(root, path) or []
    return [(1, f'this row of the table is missing: {row}')
            for row in table_lines() if row not in lines]


def check(root, path):
    if path == 'docs/ARCHITECTURE.md':
        return check_document(root, path)
    if path.endswith(('.c', '.h', '.cc', '.cpp', '.hpp')):
        return check_sources(root, path)
    return []


SAMPLES = [
    ('daemon/a.c', '#include "daemon/b.h"\n#include "common/c.h"\n#include "lidard/d.h"\n', None),
    ('daemon/a.c', '#include <stdio.h>\n#include <json-c/json.h>\n', None),
    ('daemon/a.c', '#include "libclient/b.h"\n', 'daemon/ may not use libclient/'),
    ('daemon/a.c', '  #  include "tools/b.h"\n', 'daemon/ may not use tools/'),
    ('daemon/a.c', '#include "b.h"\n', 'say "daemon/b.h"'),
    ('daemon/a.c', '#include "../common/b.h"\n', 'by its path from the root'),
    ('daemon/a.c', '#include "include/lidard/b.h"\n', 'say "lidard/b.h"'),
    ('daemon/a.c', '#include <lidard/b.h>\n', 'say "lidard/b.h"'),
    ('daemon/a.c', '#include "iceoryx_binding_c/api.h"\n', 'iceoryx stays behind'),
    ('daemon/a.c', '#include <iceoryx_binding_c/api.h>\n', 'iceoryx stays behind'),
    ('daemon/sink_iox.c', '#include <iceoryx_binding_c/api.h>\n', None),
    ('daemon/publisher_iox.c', '#include <iceoryx_binding_c/api.h>\n', None),
    ('daemon/reclaim.c', '#include <iceoryx_binding_c/api.h>\n', None),
    ('libclient/transport_iox.c', '#include <iceoryx_binding_c/api.h>\n', None),
    ('libclient/client.c', '#include <iceoryx_binding_c/api.h>\n', 'iceoryx stays behind'),
    ('libclient/client.c', '#include "daemon/b.h"\n', 'libclient/ may not use daemon/'),
    ('libclient/client.c', '#include "tools/b.h"\n', 'libclient/ may not use tools/'),
    ('libclient/examples/a.c', '#include <lidard/lidard.h>\n', None),
    ('libclient/examples/a.c', '#include "lidard/lidard.h"\n', 'what is installed'),
    ('libclient/examples/a.c', '#include <common/b.h>\n', 'not installed'),
    ('decoder/a.c', '#include "daemon/b.h"\n', 'decoder/ may not use daemon/'),
    ('tools/a.c', '#include "daemon/b.h"\n', 'tools/ may not use daemon/'),
    ('tools/a.c', '#include "libclient/b.h"\n', 'tools/ may not use libclient/'),
    ('tools/a.c', '#include "lidard/lidard.h"\n#include "common/histogram.h"\n', None),
    ('tools/a.c', '#include "tests/support/b.h"\n', 'nobody but tests/'),
    ('daemon/source_device.c', '#include "uapi/lidar_ring.h"\n', None),
    ('daemon/device_ring.h', '#include "uapi/lidar_ring.h"\n', None),
    ('daemon/sink.c', '#include "uapi/lidar_ring.h"\n', 'the kernel interface stays behind'),
    ('kmod/lidar_ring.c', '#include "ring.h"\n#include <linux/module.h>\n', None),
    ('tests/unit/a.c', '#include "kmod/ring.h"\n', None),
    ('tests/unit/a.c', '#include "kmod/core.h"\n', 'tests/ may not use kmod/'),
    ('daemon/a.c', '#include "kmod/ring.h"\n', 'daemon/ may not use kmod/'),
    ('bench/a.c', '#include "tests/support/b.h"\n', 'nobody but tests/'),
    ('common/a.h', '#include "daemon/b.h"\n', 'common/ may not use daemon/'),
    ('include/lidard/a.h', '#include "common/b.h"\n', 'include/ may not use common/'),
    ('tests/unit/a.c', '#include "daemon/b.h"\n#include <iceoryx_binding_c/api.h>\n', None),
    ('odd/a.c', '', 'folder not in the table'),
    ('docs/ARCHITECTURE.md', 'no table\n', 'row of the table is missing'),
    ('docs/ARCHITECTURE.md', '\n'.join(table_lines()) + '\n', None),
]

if __name__ == '__main__':
    if '--print-table' in sys.argv[1:]:
        print('\n'.join(table_lines()))
    else:
        tree.main(check, SAMPLES)
