#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench/gate holds made-up results to the baseline, and to made-up baselines."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench'))
sys.dont_write_bytecode = True
import judge
import rows
import suite_decode
import suite_fanout
import suite_instructions
import suite_latency

BASELINE = os.path.join(ROOT, 'bench', 'baseline.json')


def row(contender, sending, each=0.02, **other):
    made = dict.fromkeys(rows.KEYS) | {
        'suite': 'fanout', 'contender': contender, 'bytes': 1 << 20, 'hz': 500, 'subscribers': 4,
        'cpu_s_per_gb_producer': sending, 'cpu_s_per_gb_subscriber': each, 'p50_us': 50.0,
        'rounds': 3, 'spread': {}, 'machine': 'a machine'}
    return made | other


def counted(contender, producer, each):
    return row(contender, None, suite='instructions', instructions_per_frame_producer=producer,
               instructions_per_frame_daemon=1000, instructions_per_frame_subscriber=each)


USUAL = [row('lidard', 0.068, 0.024), row('iceoryx', 0.060, 0.020), row('pipe', 0.8, 0.27)]


class Gate(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def store(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def gate(self, stored, *arguments):
        path = self.store('rows.json', ''.join(rows.to_json(r) + '\n' for r in stored))
        return subprocess.run([sys.executable, f'{ROOT}/bench/gate', path, *arguments],
                              check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)

    def test_usual_results_pass(self):
        done = self.gate(USUAL)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertNotIn('WORSE', done.stdout)
        self.assertIn('| as usual |', done.stdout)

    def test_a_daemon_that_costs_thrice_as_much_is_worse(self):
        done = self.gate([row('lidard', 0.204, 0.024), *USUAL[1:]])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r'(?m)^\| CPU of sending.*lidard over iceoryx \| 3.4 \| '
                                      r'0.6-2 \(1.2\) \| WORSE \|$')

    def test_subscribers_that_cost_more_are_worse(self):
        done = self.gate([row('lidard', 0.068, 0.1), *USUAL[1:]])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r'CPU of all processes.*iceoryx.*WORSE')
        self.assertRegex(done.stdout, r'CPU of sending.*iceoryx.*as usual')

    def test_a_machine_that_is_ten_times_slower_changes_nothing(self):
        slow = [r | {'cpu_s_per_gb_producer': 10 * r['cpu_s_per_gb_producer'],
                     'cpu_s_per_gb_subscriber': 10 * r['cpu_s_per_gb_subscriber']} for r in USUAL]
        done = self.gate(slow)
        self.assertEqual((done.returncode, done.stdout), (0, self.gate(USUAL).stdout))

    def test_the_daemon_beside_the_producer_counts(self):
        done = self.gate([USUAL[0] | {'cpu_s_per_gb_daemon': 0.2}, *USUAL[1:]])
        self.assertEqual(done.returncode, 1)

    def test_better_passes_and_asks_for_a_new_baseline(self):
        done = self.gate([row('lidard', 0.01, 0.002), *USUAL[1:]])
        self.assertEqual(done.returncode, 0)
        self.assertIn('write the baseline anew', done.stdout)

    def test_what_was_not_measured_is_said_and_not_judged(self):
        done = self.gate(USUAL[:2])
        self.assertEqual(done.returncode, 0)
        self.assertIn('missing: pipe was not measured', done.stdout)

    def test_a_contender_that_failed_is_said(self):
        done = self.gate([*USUAL[:2], USUAL[2] | {'error': 'broke'}])
        self.assertIn('missing: pipe failed: broke', done.stdout)

    def test_another_piece_of_work_is_not_compared(self):
        done = self.gate([r | {'subscribers': 16} for r in USUAL])
        self.assertEqual(done.returncode, 2)
        self.assertIn('none of the ratios', done.stderr)

    def test_first_points_that_come_with_the_whole_frame_are_worse(self):
        whole = row('lidard-whole', None, suite='latency', bytes=64 << 20, hz=7.45, subscribers=1,
                    p50_us=134400.0, way='first-point', condition='quiet')
        for p50_us, status in ((180.0, 0), (134400.0, 1)):
            slices = whole | {'contender': 'lidard-slices', 'p50_us': p50_us}
            self.assertEqual(self.gate([whole, slices]).returncode, status)

    def test_a_decoder_that_takes_thrice_as_long_beside_memcpy_is_worse(self):
        memcpy = row('memcpy', None, suite='decode', packets='made', ns_per_point=2.5)
        for ns, status in ((7.0, 0), (21.0, 1)):
            decoder = memcpy | {'contender': 'hesai-xt16', 'ns_per_point': ns}
            self.assertEqual(self.gate([memcpy, decoder]).returncode, status)

    def test_a_tenth_more_instructions_are_worse(self):
        for way, usual in (('', 28600), ('-ahead', 31500)):
            iceoryx = counted('iceoryx' + way, usual - 2500, 16800)
            for more, status in ((1, 0), (1.1, 1)):
                with self.subTest(way=way, more=more):
                    lidard = counted('lidard' + way, more * usual, more * 12430)
                    self.assertEqual(self.gate([lidard, iceoryx]).returncode, status)

    def test_what_cannot_be_counted_here_is_said_and_is_no_failure(self):
        cannot = {'skipped': 'needs a virtual machine', 'instructions_per_frame_producer': None}
        done = self.gate([*USUAL, *(counted(name, 1, 1) | cannot for name in ('lidard', 'iceoryx'))])
        self.assertEqual(done.returncode, 0)
        self.assertIn('not here: needs a virtual machine', done.stdout)

    def test_a_baseline_that_is_none_is_refused(self):
        ratio = {'name': 'x', 'suite': 'fanout', 'figure': 'cpu_all', 'of': 'lidard', 'over': 'pipe',
                 'where': {}, 'least': 1, 'usual': 2, 'most': 3, 'brief': True}
        for wrong, sentence in (({'figure': 'hope'}, 'a figure of'), ({'most': 1.5}, 'least <= usual'),
                                ({'least': 0}, 'must be 0 <'), ({'extra': 1}, 'has the keys')):
            path = self.store('baseline.json', json.dumps({'ratios': [ratio | wrong]}))
            done = self.gate(USUAL, '--baseline', path)
            self.assertEqual(done.returncode, 2)
            self.assertIn(sentence, done.stderr)
        done = self.gate(USUAL, '--baseline', self.store('baseline.json', '[]'))
        self.assertEqual((done.returncode, 'not a baseline' in done.stderr), (2, True))

    def test_a_file_and_a_brief_run_are_not_both(self):
        self.assertEqual(self.gate(USUAL, '--brief').returncode, 2)


class Judging(unittest.TestCase):
    def test_of_several_runs_the_best_counts_and_one_that_measured(self):
        ratio = judge.read_baseline(BASELINE)[0]
        worse, usual, none = (judge.Judged(ratio, *rest) for rest in (
            (9, 'WORSE', None), (1, 'as usual', None), (None, 'missing', 'why')))
        self.assertEqual(judge.better_of(worse, usual), usual)
        self.assertEqual(judge.better_of(usual, worse), usual)
        self.assertEqual(judge.better_of(none, worse), worse)
        self.assertEqual(judge.better_of(worse, none), worse)

    def test_the_baseline_names_contenders_that_there_are(self):
        known = {'fanout': suite_fanout.names(), 'latency': suite_latency.names(),
                 'decode': suite_decode.names(), 'instructions': suite_instructions.names()}
        for ratio in judge.read_baseline(BASELINE):
            self.assertIn(ratio['of'], known[ratio['suite']])
            self.assertIn(ratio['over'], known[ratio['suite']])

    def test_what_is_brief_is_measured_by_a_brief_run(self):
        where = {'fanout': {'bytes': 1 << 20, 'hz': 500, 'subscribers': 4},
                 'instructions': {'bytes': 1 << 20, 'hz': 500, 'subscribers': 4},
                 'decode': {'packets': 'made'}}
        brief = [r for r in judge.read_baseline(BASELINE) if r['brief']]
        self.assertTrue(brief)
        for ratio in brief:
            self.assertEqual(ratio['where'], where[ratio['suite']])


if __name__ == '__main__':
    unittest.main()
