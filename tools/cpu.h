/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.h - CPU time of any process, to the nanosecond, without parsing /proc */
#ifndef TOOLS_CPU_H
#define TOOLS_CPU_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/clock.h"

/** Return: CPU time of all threads of the process so far, ns; 0 if there is no such process. */
static inline uint64_t cpu_read_ns(pid_t pid)
{
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0)
		return 0;
	return clock_read_ns(clock);
}

#endif /* TOOLS_CPU_H */
