/* SPDX-License-Identifier: Apache-2.0 */
/* steps.c - what several paths do: see copies.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/copies/copies.h"
#include "common/clock.h"

/* What ru_inblock counts in. */
#define BLOCK_BYTES 512u

_Noreturn void copies_give_up(const char *what)
{
	perror(what);
	_exit(EXIT_FAILURE);
}

_Noreturn void copies_skip(const char *reason)
{
	puts(reason);
	fflush(stdout);
	_exit(77);
}

void *copies_alloc(uint64_t bytes)
{
	void *memory = aligned_alloc(4096, bytes);

	if (!memory)
		copies_give_up("no memory for frames");
	return memory;
}

static uint64_t to_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_usec * NSEC_PER_USEC;
}

struct copies_usage copies_get_usage(uint64_t calls)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (struct copies_usage){
		.now_ns = clock_now_ns(),
		.cpu_ns = to_ns(r.ru_utime) + to_ns(r.ru_stime),
		.calls = calls,
		.voluntary = (uint64_t)r.ru_nvcsw,
		.involuntary = (uint64_t)r.ru_nivcsw,
		.disk_bytes = (uint64_t)r.ru_inblock * BLOCK_BYTES,
	};
}

void copies_write(struct copies *c, const void *data, uint64_t bytes)
{
	uint64_t at;
	ssize_t n;

	for (at = 0; at < bytes; at += (uint64_t)n) {
		n = write(c->socket, (const uint8_t *)data + at, bytes - at);
		if (n <= 0)
			copies_give_up("write");
		c->calls++;
	}
}

void copies_drain_pipe(struct copies *c, int pipe_fd, uint64_t bytes)
{
	ssize_t n;

	for (; bytes > 0; bytes -= (uint64_t)n) {
		n = splice(pipe_fd, NULL, c->socket, NULL, bytes, SPLICE_F_MOVE);
		if (n <= 0)
			copies_give_up("splice");
		c->calls++;
	}
}

void copies_make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[1], F_SETPIPE_SZ, COPIES_PIPE_BYTES) < 0)
		copies_give_up("pipe");
}
