/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opts.h - option structs that grow
 *
 * The caller says how large its struct is.  A member this library does not know
 * must be zero: it asks for something we could not do.
 */
#ifndef LIBCLIENT_OPTS_H
#define LIBCLIENT_OPTS_H

#include <errno.h>
#include <stddef.h>

/* More is a mistake, or no size at all. */
#define OPTS_BYTES_MAX 4096u

/**
 * opts_check() - does the size make sense?
 * @opts: begins with its size
 * @size: what it says
 * @known: sizeof the struct as this library knows it; there was no smaller one yet
 *
 * Return: 0; -EINVAL.
 */
static inline int opts_check(const void *opts, size_t size, size_t known)
{
	const unsigned char *bytes = opts;
	size_t i;

	if (size < known || size > OPTS_BYTES_MAX)
		return -EINVAL;
	for (i = known; i < size; i++)
		if (bytes[i])
			return -EINVAL;
	return 0;
}

#endif /* LIBCLIENT_OPTS_H */
