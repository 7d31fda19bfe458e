/* SPDX-License-Identifier: Apache-2.0 */
/* other_version.c - in the place of liblidard-iox.so, as after an update under a running reader */
#include <stdint.h>

struct {
	uint32_t bytes;
} lidard_transport __attribute__((visibility("default"))) = { .bytes = 1 };
