/* SPDX-License-Identifier: Apache-2.0 */
/* lock_file.c - see lock_file.h */
#include "daemon/lock_file.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

#include "common/clock.h"

#define TIMEOUT_NS (3 * NSEC_PER_SEC)
#define LOOK_NS (10 * NSEC_PER_MSEC)

int lock_file_take(int fd)
{
	struct timespec pause = clock_to_timespec(LOOK_NS);
	uint64_t end_ns = clock_now_ns() + TIMEOUT_NS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || clock_now_ns() >= end_ns)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}
