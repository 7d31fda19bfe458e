/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - how fast a slice can be read where it lies, beside ordinary memory */
#ifndef BENCH_DEVICE_SCAN_H
#define BENCH_DEVICE_SCAN_H

#include <stdint.h>

/**
 * Fill a slot of the device, scan it by its mapping, by that of its dma-buf, and a copy
 * of it in ordinary memory, in turns of @seconds; print the medians as one line of JSON.
 */
void scan_run(const char *device, uint64_t slice_bytes, unsigned int rounds, double seconds);

#endif /* BENCH_DEVICE_SCAN_H */
