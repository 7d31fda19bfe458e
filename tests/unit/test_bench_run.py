#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/run says to arguments it cannot follow, before it builds or measures anything."""
import os
import subprocess
import sys
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))


def run(*arguments):
    return subprocess.run([sys.executable, f'{ROOT}/bench/run', *arguments], check=False,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Arguments(unittest.TestCase):
    def refused(self, sentence, *arguments):
        done = run(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ''))
        self.assertIn(sentence, done.stderr)

    def test_a_suite_that_does_not_exist_is_refused_by_name(self):
        self.refused("no suite 'fanin': there is fanout, growth, instructions, copies, latency", 'fanin')

    def test_a_contender_that_does_not_exist_is_refused_by_name(self):
        self.refused("no contender 'tcp'", '--only', 'lidard,tcp')

    def test_a_number_of_subscribers_beyond_the_limit_is_refused(self):
        self.refused("'65': must be 1 to 64", '--subscribers', '1,65')
        self.refused("'0': must be 1 to 64", '--subscribers', '0')
        self.refused("'-1': must be 1 to 64", '--subscribers=-1')

    def test_a_shape_without_a_rate_or_with_an_odd_size_is_refused(self):
        self.refused("'1M': must be SIZE@HZ", '--shapes', '1M')
        self.refused("'5000@10': the size must be 4K to 64M", '--shapes', '5000@10')
        self.refused("'65M@10': the size must be 4K to 64M", '--shapes', '65M@10')
        self.refused("'1M@100001': at most 100000", '--shapes', '1M@100001')

    def test_rounds_and_seconds_must_be_above_zero(self):
        self.refused("'0': must be above 0", '--rounds', '0')
        self.refused("'nan': must be above 0", '--seconds', 'nan')
        self.refused("'1.5': must be above 0", '--rounds', '1.5')

    def test_the_list_names_each_contender_and_its_package(self):
        done = run('--list')
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r'(?m)^  lidard .*in place')
        self.assertRegex(done.stdout, r'(?m)^  zmq .*\(libzmq3-dev\)$')


if __name__ == '__main__':
    unittest.main()
