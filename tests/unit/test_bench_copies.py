#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What suite copies makes of what was counted: bench/suite_copies.py, and its table of paths."""
import json
import os
import sys
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench'))
sys.dont_write_bytecode = True
import rows
import suite_copies
from suite_copies import Way

WORK = {'bytes': 1000000, 'to': 'tcp'}
WAY = Way('zerocopy', 'memory', {'unix': 1, 'tcp': 1})


def used(**other):
    return {'cpu_ns': 20000000, 'calls': 200, 'voluntary': 30, 'involuntary': 10,
            'disk_bytes': 0} | other


def counted(**other):
    """A round: 100 frames of 1 MB in a quarter of a second."""
    return {'contender': 'zerocopy', 'source': 'memory', 'to': 'tcp', 'bytes': 1000000,
            'frames': 100, 'duration_ns': 250000000, 'told': 0, 'copied': 0, 'sender': used(),
            'receiver': used(cpu_ns=10000000, calls=500)} | other


def row_of(*rounds):
    return suite_copies.make_row('a machine', WAY, WORK, list(rounds))


class Figures(unittest.TestCase):
    def test_a_gigabyte_costs_each_side_what_it_used(self):
        row = row_of(counted())
        self.assertAlmostEqual(row['cpu_s_per_gb_producer'], 0.2)
        self.assertAlmostEqual(row['cpu_s_per_gb_subscriber'], 0.1)
        self.assertAlmostEqual(row['gb_per_s'], 0.4)

    def test_calls_and_switches_are_for_each_gigabyte(self):
        row = row_of(counted())
        self.assertAlmostEqual(row['calls_per_gb_sender'], 2000)
        self.assertAlmostEqual(row['calls_per_gb_receiver'], 5000)
        self.assertAlmostEqual(row['switches_per_gb_sender'], 400)

    def test_what_the_kernel_copied_after_all_counts_as_copies(self):
        row = row_of(counted(told=80, copied=20))
        self.assertAlmostEqual(row['copied_pct'], 25)
        self.assertAlmostEqual(row['copies_per_byte'], 1.25)
        self.assertIn('25 % of sends were copied after all', suite_copies.to_line(row))

    def test_who_lends_nothing_has_the_copies_of_arithmetic(self):
        row = row_of(counted())
        self.assertIsNone(row['copied_pct'])
        self.assertEqual(row['copies_per_byte'], 1)

    def test_what_came_from_the_disk_is_a_share_of_what_was_sent(self):
        row = row_of(counted(sender=used(disk_bytes=50000000)))
        self.assertAlmostEqual(row['disk_pct'], 50)

    def test_a_row_has_the_medians_of_its_rounds(self):
        row = row_of(*(counted(sender=used(calls=n, cpu_ns=n * 100000)) for n in (900, 200, 300)))
        self.assertAlmostEqual(row['calls_per_gb_sender'], 3000)
        self.assertAlmostEqual(row['cpu_s_per_gb_producer'], 0.3)
        self.assertEqual(row['rounds'], 3)


class Output(unittest.TestCase):
    def test_rows_that_ran_failed_or_were_skipped_have_the_same_keys(self):
        promised = set(rows.KEYS) | set(suite_copies.KEYS)
        for row in (row_of(counted()), suite_copies.make_failure('m', WAY, WORK, error='broke'),
                    suite_copies.make_failure('m', WAY, WORK, skipped='no such call')):
            self.assertEqual(set(json.loads(rows.to_json(row))), promised)

    def test_what_a_kernel_cannot_do_is_no_failure_and_says_why(self):
        row = suite_copies.make_failure('m', WAY, WORK, skipped='no such call')
        self.assertIsNone(row['error'])
        self.assertIn('not here: no such call', suite_copies.to_line(row))

    def test_every_line_of_the_table_has_as_many_cells(self):
        group = [row_of(counted()), suite_copies.make_failure('m', WAY, WORK, error='broke')]
        lines = suite_copies.to_table(group).strip().split('\n')[2:]
        self.assertEqual({line.count('|') for line in lines}, {lines[0].count('|')})


class Paths(unittest.TestCase):
    def test_each_has_a_name_of_its_own_and_a_file_that_is_there(self):
        table = suite_copies.read_contenders()
        self.assertEqual(len({p.name for p in table}), len(table))
        for p in table:
            self.assertTrue(os.path.exists(os.path.join(ROOT, 'bench', 'copies', p.file)), p)

    def test_each_says_what_it_copies_from_every_source(self):
        for p in suite_copies.read_contenders():
            for way in suite_copies.ways_of(p):
                self.assertIn(way.source, ('memory', 'cache', 'disk', 'direct'))
                # the receiver's, at least
                self.assertGreaterEqual(min(way.copies.values()), 1, way)
                self.assertEqual(set(way.copies), {'unix', 'tcp'})

    def test_who_needs_a_library_names_the_package_and_the_list_has_it(self):
        with open(os.path.join(ROOT, '.ci', 'packages-bench'), encoding='utf-8') as f:
            listed = f.read().split('\n')
        for p in suite_copies.read_contenders():
            self.assertEqual(p.library == '-', p.package == '-', p)
            self.assertTrue(p.package == '-' or p.package in listed, p)


if __name__ == '__main__':
    unittest.main()
