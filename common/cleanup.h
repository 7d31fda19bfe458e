/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup.h - locals that clean up after themselves, and ownership that moves */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/** Take the value out of a pointer and leave NULL. */
#define STEAL(ptr)                         \
	({                                 \
		__typeof__(ptr) *_p = &(ptr); \
		__typeof__(ptr) _v = *_p;  \
		*_p = NULL;                \
		_v;                        \
	})

/** Take an fd out of its variable and leave -1. */
static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/** Close an fd if it is one. Return: -1. */
static inline int close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}

static inline void cleanup_fd(int *fd)
{
	*fd = close_fd(*fd);
}

static inline void cleanup_free(void *p)
{
	void **pp = (void **)p;

	free(*pp);
	*pp = NULL;
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

#endif /* COMMON_CLEANUP_H */
