/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_file.c - see metadata_file.h */
#include "decoder/metadata_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Return: bytes read; -EFBIG if there are more than @size. */
static ssize_t read_whole(int fd, char *text, size_t size)
{
	size_t have = 0;

	while (have <= size) {
		ssize_t n = read(fd, text + have, size + 1 - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (ssize_t)have;
		have += (size_t)n;
	}
	return -EFBIG;
}

int metadata_file_read(const char *path, size_t bytes_max, char **ret_text, size_t *ret_bytes,
		       struct problem *problem)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) char *text = NULL;
	struct stat st;
	ssize_t bytes;

	/* O_NONBLOCK: a FIFO by that name must not hang the daemon */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return problem_set(problem, -errno, "%.200s: %m", path);
	if (!S_ISREG(st.st_mode))
		return problem_set(problem, -EINVAL, "%.200s: a regular file is wanted", path);
	text = malloc(bytes_max + 1);
	if (!text)
		return problem_set(problem, -ENOMEM, "%.200s: no memory", path);
	bytes = read_whole(fd, text, bytes_max);
	if (bytes == -EFBIG)
		return problem_set(problem, -EFBIG, "%.200s: more than %zu bytes", path, bytes_max);
	if (bytes < 0)
		return problem_set(problem, (int)bytes, "%.200s: %s", path, strerror((int)-bytes));
	text[bytes] = '\0';
	*ret_text = STEAL(text);
	*ret_bytes = (size_t)bytes;
	return 0;
}
