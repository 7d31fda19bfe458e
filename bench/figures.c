/* SPDX-License-Identifier: Apache-2.0 */
/* figures.c - see figures.h */
#include "bench/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double figures_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int by_sample(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

uint32_t figures_quantile(uint32_t *samples, size_t count, double q)
{
	size_t rank = (size_t)(q * (double)count);

	if (count == 0)
		return 0;
	qsort(samples, count, sizeof(*samples), by_sample);
	return samples[rank < count ? rank : count - 1];
}

void figures_print_histogram(const struct lidard_histogram *h)
{
	const char *comma = "";
	unsigned int i;

	printf("\"max_ns\": %" PRIu64 ", \"latency\": [", h->max_ns);
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++)
		if (h->buckets[i]) {
			printf("%s[%" PRIu64 ", %" PRIu64 "]", comma, histogram_bucket_middle_ns(i),
			       h->buckets[i]);
			comma = ", ";
		}
	putchar(']');
}

static void read_processor(char *name, size_t size)
{
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(name, size, "unknown processor");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "model name", 10) != 0 || !strchr(line, ':'))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", strchr(line, ':') + 2);
		return;
	}
}

void figures_print_machine(void)
{
	time_t now = time(NULL);
	double load = 0;
	struct utsname u;
	char name[128], date[32];
	struct tm tm;

	read_processor(name, sizeof(name));
	strftime(date, sizeof(date), "%F %R UTC", gmtime_r(&now, &tm));
	uname(&u);
	if (getloadavg(&load, 1) < 1)
		load = -1;
	printf("# %s, %ld CPUs, %s %s %s, %s, load %.1f\n", name, sysconf(_SC_NPROCESSORS_ONLN),
	       u.sysname, u.release, u.machine, date, load);
}

double figures_get_seconds(double seconds)
{
	const char *text = getenv("LIDARD_BENCH_SECONDS");
	double value = text ? strtod(text, NULL) : 0;

	return value > 0 ? value : seconds;
}
