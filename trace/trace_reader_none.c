/* SPDX-License-Identifier: Apache-2.0 */
/* trace_reader_none.c - trace_reader.h without libbpf: there are no maps */
#include "trace/trace_reader.h"

#include <errno.h>

int trace_reader_read(const char *pin_dir, struct trace_picture **ret_picture)
{
	return -ENOTSUP;
}

struct trace_picture *trace_picture_free(struct trace_picture *p)
{
	return NULL;
}
