#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What suite latency makes of what was counted: bench/suite_latency.py; and bench/load.py."""
import json
import os
import sys
import unittest
import unittest.mock

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench'))
sys.dont_write_bytecode = True
import load
import rows
import suite_fanout
import suite_latency

QUIET, _, LOADED, _ = suite_latency.CONDITIONS


def counted(**other):
    """A turn: 200 slices, of which the publisher's took 10 us and the reader's 20 us each."""
    return {'contender': 'lidard', 'way': 'block', 'bytes': 1 << 20, 'hz': 1000, 'published': 200,
            'taken': 200, 'publisher_cpu_ns': 2000000, 'reader_cpu_ns': 4000000, 'max_ns': 40100,
            'latency': [[10000, 120], [20000, 70], [40000, 10]]} | other


def row_of(*rounds, condition=QUIET, way='block'):
    return suite_latency.make_row('a machine', condition, way, list(rounds))


class Figures(unittest.TestCase):
    def test_cpu_is_for_each_slice_that_was_published(self):
        row = row_of(counted())
        self.assertAlmostEqual(row['publisher_us_per_slice'], 10)
        self.assertAlmostEqual(row['reader_us_per_slice'], 20)

    def test_there_is_no_rate_where_nobody_touches_the_payload(self):
        row = row_of(counted())
        self.assertEqual([row[key] for key in suite_latency.MEANINGLESS], [None] * 3)
        self.assertNotIn('gb_per_s', row['spread'])

    def test_a_device_that_fills_frames_has_one(self):
        # 7.45 frames of 64 MiB a second are 500 MB/s
        row = row_of(counted(bytes=64 << 20, hz=7.45, published=10, taken=10, lost=0),
                     way='first-point')
        self.assertAlmostEqual(row['gb_per_s'], 0.5, places=3)

    def test_a_row_has_the_samples_of_all_its_rounds_and_what_they_lost(self):
        frames = counted(bytes=64 << 20, hz=7.45, lost=2, latency=[[150000, 44], [900000, 1]])
        row = row_of(*[frames] * 5, way='first-point')
        self.assertEqual((row['samples'], row['lost']), (225, 10))
        self.assertIn('| 225 (10 slices lost) |', suite_latency.to_line(row))
        self.assertEqual((row_of(counted())['samples'], row_of(counted())['lost']), (200, None))
        self.assertIn('| 200 |', suite_latency.to_line(row_of(counted())))

    def test_first_points_are_enough_for_a_99th_percentile(self):
        frames = suite_latency.FRAME_SECONDS * 500e6 / (64 << 20)
        self.assertGreaterEqual(suite_fanout.ROUNDS * frames, 200)

    def test_lidard_is_beside_iceoryx_of_the_same_way(self):
        slow = counted(contender='iceoryx', latency=[[40000, 200]])
        other = counted(contender='iceoryx', latency=[[1000, 200]])
        made = suite_latency.add_ratios([row_of(counted()), row_of(other, way='poll'),
                                         row_of(slow)])
        self.assertAlmostEqual(made[0]['ratio_to_iceoryx'], 0.25)
        self.assertIsNone(made[1]['ratio_to_iceoryx'])

    def test_alone_it_has_no_ratio(self):
        self.assertIsNone(suite_latency.add_ratios([row_of(counted())])[0]['ratio_to_iceoryx'])

    def test_a_loaded_row_says_by_what(self):
        self.assertEqual(row_of(counted(), condition=LOADED)['load'], load.name())
        self.assertIsNone(row_of(counted())['load'])


class Output(unittest.TestCase):
    WORK = {'bytes': None, 'hz': None, 'subscribers': 1}

    def test_rows_that_ran_failed_or_were_skipped_have_the_same_keys(self):
        plan = unittest.mock.Mock(machine='m')
        missing = suite_latency.make_missing(plan, QUIET, [('lidard', 'fd')], self.WORK,
                                             skipped='not permitted')
        promised = set(rows.KEYS) | set(suite_latency.KEYS)
        for row in (row_of(counted()), *missing):
            self.assertEqual(set(json.loads(rows.to_json(row))), promised)
        self.assertIsNone(missing[0]['error'])
        self.assertIn('not here: not permitted', suite_latency.to_table(missing))

    def test_every_line_of_the_table_has_as_many_cells(self):
        plan = unittest.mock.Mock(machine='m')
        group = [row_of(counted()), *suite_latency.make_missing(
            plan, QUIET, [('lidard', 'fd')], self.WORK, error='broke')]
        lines = suite_latency.to_table(group).strip().split('\n')[2:]
        self.assertEqual({line.count('|') for line in lines}, {lines[0].count('|')})


class Loads(unittest.TestCase):
    def test_what_a_load_started_ends_with_it(self):
        with unittest.mock.patch.object(load, 'command', lambda: [['sleep', '1000']] * 2):
            with load.Load() as busy:
                processes = busy.processes
                busy.check()
            self.assertEqual([p.returncode for p in processes], [-9, -9])

    def test_a_load_that_ended_too_early_is_told(self):
        with unittest.mock.patch.object(load, 'command', lambda: [['true']]), load.Load() as busy:
            with self.assertRaisesRegex(RuntimeError, 'true has ended'):
                busy.check()

    def test_no_load_starts_nothing(self):
        with load.Load(False) as quiet:
            self.assertEqual(quiet.processes, [])
            quiet.check()


if __name__ == '__main__':
    unittest.main()
