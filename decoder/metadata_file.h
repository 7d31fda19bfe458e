/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_file.h - a sensor's metadata, as its file has them */
#ifndef DECODER_METADATA_FILE_H
#define DECODER_METADATA_FILE_H

#include <stddef.h>

#include "common/problem.h"

/**
 * metadata_file_read() - read a whole, small, regular file
 * @bytes_max: more is refused
 * @ret_text: NUL-terminated; release with free()
 *
 * Never waits, whatever the path names.
 * Return: 0; -EFBIG; -EINVAL no regular file; other negative errno, with @problem set.
 */
int metadata_file_read(const char *path, size_t bytes_max, char **ret_text, size_t *ret_bytes,
		       struct problem *problem);

#endif /* DECODER_METADATA_FILE_H */
