/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - the processes of a benchmark
 *
 * They write to a log and end with the program that started them.  What fails
 * ends that program with a sentence and the log: a benchmark has no caller who
 * could do better.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "common/clock.h"

/** Where a benchmark has its files: in a sandbox, where nobody else has any. */
#define BENCH_DIR "/tmp/lidard-bench"

/** Longest wait for anything that must come. */
#define BENCH_PATIENCE_NS (60 * NSEC_PER_SEC)

/** Make BENCH_DIR; the program must be in a sandbox. */
void bench_begin(void);

/** Say what is wrong, with the log, and end. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Sleep for 2 ms before looking again. */
void bench_nap(void);

/** Fork; -1 for any CPU. Return: 0 in the child; else its pid. */
pid_t child_start(int cpu);

/** In a child: become another program, found by PATH if there is no slash in its name. */
_Noreturn void child_exec(const char *const *command);

/** End the program if the child has ended. */
void child_check(pid_t pid, const char *what);

/** Kill it. */
void child_kill(pid_t pid);

/** CPU time of a living child and all its threads. */
uint64_t child_cpu_ns(pid_t pid);

#endif /* BENCH_CHILD_H */
