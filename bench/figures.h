/* SPDX-License-Identifier: Apache-2.0 */
/* figures.h - medians of rounds, quantiles of samples, and what machine they come from */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include "common/histogram.h"

/** Of a handful of values, which are left sorted. */
double figures_median(double *values, size_t count);

/** Quantile of samples, which are left sorted. */
uint32_t figures_quantile(uint32_t *samples, size_t count, double q);

/** As members of a JSON object: "max_ns", "latency" as [middle of a bucket, count]. */
void figures_print_histogram(const struct lidard_histogram *histogram);

/** One line: processor, CPUs, kernel, date, load. */
void figures_print_machine(void);

/** LIDARD_BENCH_SECONDS, or @seconds. */
double figures_get_seconds(double seconds);

#endif /* BENCH_FIGURES_H */
