/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - writes that are whole or fail */
#ifndef TOOLS_FILE_H
#define TOOLS_FILE_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/** Return: 0; negative errno. */
static inline int file_write_all(int fd, const void *data, size_t bytes)
{
	const char *p = data;

	while (bytes > 0) {
		ssize_t n = write(fd, p, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		p += n;
		bytes -= (size_t)n;
	}
	return 0;
}

#endif /* TOOLS_FILE_H */
