#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/run makes of what was counted: bench/rows.py, and its table of contenders."""
import json
import os
import sys
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench'))
sys.dont_write_bytecode = True
import rows
import suite_fanout

# as a benchmark's JSON is promised to be; docs/performance.md explains each
KEYS = {'suite', 'contender', 'bytes', 'hz', 'subscribers', 'cpu_s_per_gb_producer',
        'cpu_s_per_gb_daemon', 'cpu_s_per_gb_subscriber', 'p50_us', 'p99_us', 'p999_us', 'max_us',
        'gb_per_s', 'loss_pct', 'rounds', 'spread', 'error', 'machine'}


def counted(**other):
    """A round: 100 frames of 1 MB to 2 subscribers in half a second."""
    return {'contender': 'ring', 'bytes': 1000000, 'hz': 200, 'subscribers': 2,
            'duration_ns': 500000000, 'due': 100, 'sent': 100, 'taken': 200, 'filled': 0,
            'producer_cpu_ns': 5000000, 'has_daemon': False, 'daemon_cpu_ns': 0,
            'subscriber_cpu_ns': 8000000, 'max_ns': 40100,
            'latency': [[10000, 120], [20000, 70], [40000, 10]]} | other


def row_of(*rounds):
    return rows.make_row('fanout', 'a machine', list(rounds))


class Quantiles(unittest.TestCase):
    def test_the_middle_one_of_an_odd_number_is_the_median(self):
        self.assertEqual(rows.quantile_ns([[1, 1], [2, 1], [30, 1]], 0.5), 2)

    def test_a_bucket_counts_as_often_as_it_was_hit(self):
        self.assertEqual(rows.quantile_ns([[1, 10], [2, 89], [3, 1]], 0.5), 2)
        self.assertEqual(rows.quantile_ns([[1, 10], [2, 89], [3, 1]], 0.05), 1)

    def test_99_of_100_samples_lie_below_the_99th_percentile(self):
        self.assertEqual(rows.quantile_ns([[1, 99], [7, 1]], 0.99), 7)
        self.assertEqual(rows.quantile_ns([[1, 199], [7, 1]], 0.99), 1)

    def test_too_few_samples_have_no_99th_percentile(self):
        self.assertIsNone(rows.quantile_ns([[1, 99]], 0.99))
        self.assertEqual(rows.quantile_ns([[1, 100]], 0.99), 1)
        self.assertIsNone(rows.quantile_ns([[1, 999]], 0.999))
        self.assertEqual(rows.quantile_ns([[1, 1000]], 0.999), 1)

    def test_no_samples_have_no_median(self):
        self.assertIsNone(rows.quantile_ns([], 0.5))

    def test_merged_histograms_are_in_order_and_add_up(self):
        self.assertEqual(rows.merge([[[5, 1], [9, 2]], [[1, 4], [9, 3]]]), [(1, 4), (5, 1), (9, 5)])


class Figures(unittest.TestCase):
    def test_a_gigabyte_costs_the_producer_what_sending_took(self):
        # 5 ms for 100 MB
        self.assertAlmostEqual(row_of(counted())['cpu_s_per_gb_producer'], 0.05)

    def test_a_gigabyte_costs_each_subscriber_what_receiving_took(self):
        # 8 ms of both for 200 MB
        self.assertAlmostEqual(row_of(counted())['cpu_s_per_gb_subscriber'], 0.04)
        self.assertAlmostEqual(row_of(counted(taken=100))['cpu_s_per_gb_subscriber'], 0.08)

    def test_no_daemon_has_no_cost_and_an_idle_one_costs_nothing(self):
        self.assertIsNone(row_of(counted())['cpu_s_per_gb_daemon'])
        self.assertEqual(row_of(counted(has_daemon=True))['cpu_s_per_gb_daemon'], 0)

    def test_the_rate_is_what_each_subscriber_received(self):
        self.assertAlmostEqual(row_of(counted())['gb_per_s'], 0.2)

    def test_frames_that_were_due_and_not_sent_are_lost_for_all(self):
        self.assertEqual(row_of(counted())['loss_pct'], 0)
        self.assertAlmostEqual(row_of(counted(due=200))['loss_pct'], 50)

    def test_a_round_that_received_nothing_has_no_cost_per_gigabyte(self):
        row = row_of(counted(taken=0, latency=[], max_ns=0))
        self.assertIsNone(row['cpu_s_per_gb_subscriber'])
        self.assertIsNone(row['p50_us'])
        self.assertIsNone(row['max_us'])
        self.assertEqual(row['loss_pct'], 100)


class Rounds(unittest.TestCase):
    ROUNDS = [counted(producer_cpu_ns=ns) for ns in (9000000, 2000000, 3000000)]

    def test_a_row_has_the_median_of_its_rounds(self):
        self.assertAlmostEqual(row_of(*self.ROUNDS)['cpu_s_per_gb_producer'], 0.03)

    def test_the_spread_is_from_the_smallest_to_the_largest(self):
        least, most = row_of(*self.ROUNDS)['spread']['cpu_s_per_gb_producer']
        self.assertAlmostEqual(least, 0.02)
        self.assertAlmostEqual(most, 0.09)

    def test_p50_is_a_median_of_rounds_and_p99_of_all_samples(self):
        slow = counted(latency=[[10000, 1], [900000, 199]], max_ns=910000)
        row = row_of(counted(), counted(), slow)
        self.assertEqual(row['p50_us'], 10)
        self.assertEqual(row['p99_us'], 900)

    def test_no_percentile_is_above_the_largest(self):
        row = row_of(counted(latency=[[10000, 100], [42000, 100]], max_ns=41000))
        self.assertEqual((row['p99_us'], row['max_us']), (41, 41))

    def test_the_largest_is_the_largest_of_all_rounds(self):
        self.assertEqual(row_of(counted(), counted(max_ns=7000000))['max_us'], 7000)


class Output(unittest.TestCase):
    def test_a_row_has_the_keys_that_are_promised(self):
        self.assertEqual(set(json.loads(rows.to_json(row_of(counted())))), KEYS)

    def test_a_failure_has_the_same_keys_and_its_reason(self):
        work = {'bytes': 4096, 'hz': 1, 'subscribers': 1}
        row = json.loads(rows.to_json(rows.make_failure('fanout', 'm', 'pipe', work, 'broke')))
        self.assertEqual(set(row), KEYS)
        self.assertEqual((row['error'], row['bytes'], row['p50_us']), ('broke', 4096, None))
        self.assertIn('broke', rows.to_line(row))

    def test_json_is_one_line(self):
        self.assertNotIn('\n', rows.to_json(row_of(counted(), counted())))

    def test_every_line_of_the_table_has_as_many_cells(self):
        work = {'bytes': 1000000, 'hz': 200, 'subscribers': 2}
        failure = rows.make_failure('fanout', 'm', 'pipe', work, 'broke')
        lines = rows.to_table([row_of(counted()), failure]).strip().split('\n')[2:]
        self.assertEqual({line.count('|') for line in lines}, {lines[0].count('|')})

    def test_the_work_is_said_in_words(self):
        row = {'bytes': 1 << 20, 'hz': 0, 'subscribers': 1}
        self.assertEqual(rows.say_work(row), '1 MiB flat out, 1 subscriber')
        self.assertEqual(rows.say_work(row | {'bytes': 65536, 'hz': 8000, 'subscribers': 4}),
                         '64 KiB at 8000 Hz, 4 subscribers')


class Contenders(unittest.TestCase):
    def test_each_has_a_name_of_its_own_and_a_file_that_is_there(self):
        table = suite_fanout.read_contenders()
        self.assertEqual(len({c.name for c in table}), len(table))
        for c in table:
            self.assertTrue(os.path.exists(os.path.join(ROOT, 'bench', 'fanout', c.file)), c)

    def test_who_needs_a_library_names_the_package_and_the_list_has_it(self):
        with open(os.path.join(ROOT, '.ci', 'packages-bench'), encoding='utf-8') as f:
            listed = f.read().split('\n')
        for c in suite_fanout.read_contenders():
            self.assertEqual(c.library == '-', c.package == '-', c)
            self.assertTrue(c.package == '-' or c.package in listed, c)


if __name__ == '__main__':
    unittest.main()
