#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the kernel's own checkers say of the modules: nothing.

    kernel.py sparse|checkpatch|coccinelle [--self-test] ROOT FOLDER

sparse comes with the build (W=1 C=2); checkpatch.pl and the semantic patches are
part of the kernel's sources, of which FOLDER keeps what is needed.  --self-test
holds a module with known faults against the checker: it must find each.
"""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

EXIT_SKIP = 77
SCRIPTS = ['scripts/checkpatch.pl', 'scripts/spelling.txt', 'scripts/const_structs.checkpatch',
           'scripts/coccinelle/*']

# What is not held against the modules, and why.
CHECKPATCH_IGNORES = [
    'SPDX_LICENSE_TAG',        # one form of comment in .c and .h, in the whole tree
    'LINUX_VERSION_CODE',      # there is none; an out-of-tree module may need one
    'FILE_PATH_CHANGES', 'MAINTAINERS',  # not a patch to the kernel
]


def skip(reason):
    print('SKIP: ' + reason)
    sys.exit(EXIT_SKIP)


def need(program, package):
    if not shutil.which(program):
        skip(f'needs {program} ({package})')


def kernel_scripts(folder):
    """Where they are, unpacked if they are not."""
    archives = sorted(glob.glob('/usr/src/linux-source-*.tar.xz'))
    if not archives:
        skip("needs the kernel's sources (linux-source-6.1)")
    archive = archives[-1]
    mark = os.path.join(folder, 'unpacked-' + str(int(os.path.getmtime(archive))))
    if not os.path.exists(mark):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(['tar', '-xJf', archive, '-C', folder, '--strip-components=1', '--wildcards',
                        *('*/' + s for s in SCRIPTS)], check=True)
        with open(mark, 'w', encoding='ascii'):
            pass
    return os.path.join(folder, 'scripts')


def sources(root):
    return sorted(p for pattern in ('kmod/*.c', 'kmod/*.h', 'include/uapi/*.h')
                  for p in glob.glob(os.path.join(root, pattern)) if not p.endswith('.mod.c'))


def sparse(root, _folder, _only=None):
    need('sparse', 'sparse')
    builder = os.path.join(root, 'kmod/build-modules')
    if subprocess.run([builder, '--find'], stdout=subprocess.DEVNULL, check=False).returncode:
        skip('needs kernel headers (linux-headers-amd64)')
    with tempfile.TemporaryDirectory(prefix='lidard-sparse-') as fresh:
        done = subprocess.run([builder, fresh, 'W=1', 'C=2'], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        lines = [x.replace(fresh + '/', '') for x in done.stdout.splitlines()]
    found = [x for x in lines if re.search(r'\b(warning|error)\b', x, re.I)]
    return found or (lines or ['the build failed'] if done.returncode else [])


def checkpatch(root, folder, _only=None):
    need('perl', 'perl')
    script = os.path.join(kernel_scripts(folder), 'checkpatch.pl')
    done = subprocess.run(['perl', script, '--no-tree', '--no-summary', '--terse', '--show-types',
                           '--max-line-length=100', '--ignore', ','.join(CHECKPATCH_IGNORES),
                           '--file', *sources(root)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd=folder, check=False)
    return [x.removeprefix(root + '/') for x in done.stdout.splitlines() if x.strip()]


def rules(scripts, name):
    """Semantic patches that report, and need no compiler of OCaml; with their own options."""
    for path in sorted(glob.glob(f'{scripts}/coccinelle/**/{name}.cocci', recursive=True)):
        with open(path, encoding='utf-8') as f:
            text = f.read()
        if re.search(r'^virtual .*\breport\b', text, re.M) and '@script:ocaml' not in text \
                and '@initialize:ocaml' not in text:
            options = re.search(r'^// Options: *(.*)$', text, re.M)
            yield path, options[1].split() if options else []


def try_rule(rule, options, files):
    """Return: what one semantic patch says of the files."""
    done = subprocess.run(['spatch', '-D', 'report', '--no-show-diff', '--very-quiet', *options,
                           '--cocci-file', rule, *files], capture_output=True, text=True, check=False)
    name = os.path.basename(rule)
    if done.returncode:
        return [f'{name} cannot be run: {done.stderr.strip()[-300:]}']
    return [f'{x} ({name})' for x in done.stdout.splitlines() if re.match(r'\S+:\d+', x)]


def coccinelle(root, folder, only='*'):
    need('spatch', 'coccinelle')
    files = [p for p in sources(root) if p.endswith('.c')]
    chosen = list(rules(kernel_scripts(folder), only))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda r: try_rule(*r, files), chosen))
    print(f'{len(chosen)} semantic patches')
    found = [x.removeprefix(root + '/') for lines in said for x in lines]
    return found if chosen else ['no semantic patch was found']


CHECKS = {'sparse': sparse, 'checkpatch': checkpatch, 'coccinelle': coccinelle}

# ---- a module with faults ------------------------------------------------------

FAULTY = '''// SPDX-License-''' '''Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

%s
MODULE_DESCRIPTION("faults");
MODULE_LICENSE("GPL");
'''

# check: [(faulty code, what must be said of it)]
FAULTS = {
    'sparse': [
        ('int faulty(int __user *p);\nint faulty(int __user *p)\n{\n\treturn *p;\n}', 'dereference of noderef'),
        ('int faulty(void)\n{\n\treturn 0;\n}', 'no previous prototype'),
        ('__le32 faulty(u32 x);\n__le32 faulty(u32 x)\n{\n\treturn x;\n}', 'incorrect type in return'),
    ],
    'checkpatch': [
        ('static int faulty( int x )\n{\n\treturn x;\n}', 'SPACING'),
        ('static int faulty(int x)\n{\n\tif (x) {\n\t\treturn 1;\n\t}\n\treturn 0;\n}', 'BRACES'),
    ],
    'coccinelle': [
        ('void faulty(void *p);\nvoid faulty(void *p)\n{\n\tif (p)\n\t\tkfree(p);\n}', 'ifnullfree'),
    ],
}


def self_test(name, root, folder):
    wrong = 0
    for code, words in FAULTS[name] + [('', None)]:
        with tempfile.TemporaryDirectory() as fake:
            os.makedirs(fake + '/kmod')
            os.makedirs(fake + '/include/uapi')
            shutil.copy(os.path.join(root, 'kmod/build-modules'), fake + '/kmod')
            for file, text in (('faulty.c', FAULTY % code if code else FAULTY.replace('%s\n', '')),
                               ('Kbuild', 'obj-m += faulty.o\n')):
                with open(f'{fake}/kmod/{file}', 'w', encoding='utf-8') as f:
                    f.write(text)
            # of the semantic patches one stands for all: they take half a minute
            found = CHECKS[name](fake, folder, 'ifnullfree')
            if not (any(words in x for x in found) if words else not found):
                print(f'expected {words!r}, got {found}')
                wrong += 1
    print(f'{wrong} of {len(FAULTS[name]) + 1} samples misjudged')
    return wrong


def main():
    arguments = [a for a in sys.argv[1:] if a != '--self-test']
    name, root, folder = arguments[0], os.path.abspath(arguments[1]), os.path.abspath(arguments[2])
    if len(arguments) < len(sys.argv[1:]):
        sys.exit(1 if self_test(name, root, folder) else 0)
    if not glob.glob(root + '/kmod/*.c'):
        skip('no modules')
    found = CHECKS[name](root, folder)
    print('\n'.join([*found, f'{len(found)} found']))
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
