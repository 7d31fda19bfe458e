# SPDX-License-Identifier: Apache-2.0
"""The files of the tree, and the frame all house checks share.

A check is a function check(root, path) -> list of (line number, sentence),
run over every file that belongs to the tree; and a list of samples
(path, text, words), with which --self-test proves that it can fail: a file of
that text at that path must be refused with the words, or pass if words is None.
"""
import os
import subprocess
import sys
import tempfile

SKIPPED_FOLDERS = ('.git', '__pycache__', '.cache')


def _walk(root):
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names
                    if n not in SKIPPED_FOLDERS
                    and not os.path.exists(os.path.join(folder, n, 'meson-private'))]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), root)


def files(root):
    """Paths relative to root: what git knows or would take, else everything but builds."""
    try:
        done = subprocess.run(
            ['git', '-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        found = [p for p in done.stdout.decode().split('\0') if p]
    except (OSError, subprocess.CalledProcessError):
        found = list(_walk(root))
    return sorted(p for p in set(found) if os.path.isfile(os.path.join(root, p)))


def text_lines(root, path):
    """The lines of a text file; None for anything else."""
    with open(os.path.join(root, path), 'rb') as f:
        data = f.read()
    if b'\0' in data:
        return None
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError:
        return None


def _run(check, root):
    bad = 0
    for path in files(root):
        for number, sentence in check(root, path):
            print(f'{path}:{number}: {sentence}')
            bad += 1
    return bad


def _self_test(check, samples):
    wrong = 0
    for path, text, words in samples:
        with tempfile.TemporaryDirectory() as root:
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full) or root, exist_ok=True)
            with open(full, 'w', encoding='utf-8') as f:
                f.write(text)
            found = [s for _, s in check(root, path)]
            right = not found if words is None else any(words in s for s in found)
            if not right:
                print(f'{path} with {text!r}: expected {words!r}, got {found}')
                wrong += 1
    print(f'{len(samples) - wrong} of {len(samples)} samples judged as they should be')
    return wrong


def main(check, samples):
    arguments = sys.argv[1:]
    if '--self-test' in arguments:
        sys.exit(1 if _self_test(check, samples) else 0)
    root = arguments[0] if arguments else os.environ.get('LIDARD_SOURCE_ROOT', '.')
    bad = _run(check, root)
    print(f'{bad} found')
    sys.exit(1 if bad else 0)
