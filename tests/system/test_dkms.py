#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What meson installs of the kernel modules is what dkms needs to build them.

dkms gets trees of its own in a temporary folder, so nothing of the machine's
changes.  It builds for the newest kernel whose headers are there.  Prints TAP.
"""
import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get('LIDARD_BUILD_ROOT', 'build')


def run(*command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **more)


def kernel():
    """A kernel with headers, the newest; None if there is none."""
    versions = [os.path.basename(os.path.dirname(os.path.dirname(p)))
                for p in glob.glob('/lib/modules/*/build/Makefile')]
    return max(versions, key=lambda v: [int(n) for n in re.findall(r'\d+', v)], default=None)


def missing():
    """What this cannot be tried without, or None."""
    if not shutil.which('dkms'):
        return 'dkms is missing'
    if not kernel():
        return 'kernel headers are missing'
    if os.geteuid() != 0:
        return 'needs root'
    return None


def text_of(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def built_by_kbuild(folder):
    lines = re.findall(r'^obj-m\s*\+?=\s*(.*)$', text_of(os.path.join(folder, 'kmod/Kbuild')), re.M)
    return sorted(word[:-2] for line in lines for word in line.split())


def named_for_dkms(folder):
    return sorted(re.findall(r'^BUILT_MODULE_NAME\[\d+\]="(.*)"$',
                             text_of(os.path.join(folder, 'dkms.conf')), re.M))


def build(root, source_tree, version):
    """Have dkms build. Return: paths of the modules, what it printed."""
    dkms_tree = os.path.join(root, 'dkms')
    os.mkdir(dkms_tree)
    # no key is made and none used for modules nobody loads
    environment = dict(os.environ, sign_file='/nonexistent')
    done = run('dkms', 'build', '-m', 'lidard', '-v', version, '-k', kernel(), '-j', '2',
               '--dkmstree', dkms_tree, '--sourcetree', source_tree, env=environment)
    found = glob.glob(f'{dkms_tree}/lidard/{version}/{kernel()}/{platform.machine()}/module/*.ko*')
    logs = glob.glob(f'{dkms_tree}/lidard/{version}/**/make.log', recursive=True)
    return found, done.stdout + ''.join(text_of(p) for p in logs)


def result(number, name, ok, explanation=''):
    print(f'{"ok" if ok else "not ok"} {number} - {name}')
    if not ok:
        for line in explanation.splitlines()[-60:]:
            print(f'# {line}')
    return bool(ok)


def main():
    reason = missing()
    if reason:
        print(f'1..0 # SKIP {reason}')
        return 0
    with tempfile.TemporaryDirectory(prefix='lidard-dkms-') as root:
        done = run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet',
                   env=dict(os.environ, DESTDIR=root))
        folders = glob.glob(f'{root}/**/lidard-*/dkms.conf', recursive=True)
        good = result(1, 'sources and dkms.conf are installed', len(folders) == 1, done.stdout)
        if good:
            folder = os.path.dirname(folders[0])
            version = os.path.basename(folder).removeprefix('lidard-')
            wanted, named = built_by_kbuild(folder), named_for_dkms(folder)
            good &= result(2, 'dkms.conf names what Kbuild builds', wanted and wanted == named,
                           f'Kbuild: {wanted}, dkms.conf: {named}')
            found, text = build(root, os.path.dirname(folder), version)
            names = sorted(os.path.basename(p).split('.')[0] for p in found)
            good &= result(3, f'dkms builds {" and ".join(wanted)} for {kernel()}',
                           names == wanted, f'built: {names}\n{text}')
            warnings = re.findall(r'^.*\bwarning:.*$', text, re.M)
            good &= result(4, 'the compiler has nothing to say', not warnings, '\n'.join(warnings))
        print('1..4')
        return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
