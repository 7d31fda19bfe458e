/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_reader.c - see trace_reader.h
 *
 * The maps are written to meanwhile: a histogram may lack a moment's slice in
 * one of its members, and an outlier that changes while it is read is left out.
 */
#include "trace/trace_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/histogram.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Is it what trace.h says? Another version's map may have this name. */
static int check_layout(int fd, uint32_t key_bytes, uint32_t value_bytes)
{
	struct bpf_map_info info = {};
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &bytes) < 0)
		return -errno;
	return info.key_size == key_bytes && info.value_size == value_bytes ? 0 : -EPROTO;
}

static int open_map(const char *dir, const char *name, uint32_t key_bytes, uint32_t value_bytes)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	char path[512];
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get_opts(path, &opts);
	if (fd < 0)
		return -errno;
	r = check_layout(fd, key_bytes, value_bytes);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Room for one more; doubles. */
static int grow(void **list, size_t count, size_t element_bytes)
{
	void *more;

	if (count & (count - 1))
		return 0;
	more = realloc(*list, (count ? 2 * count : 1) * element_bytes);
	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

/* ---- Latencies ----------------------------------------------------------------- */

/* Whatever wrote them: names are printed. */
static void end_texts(struct lidard_probe_reader *r)
{
	r->sensor[sizeof(r->sensor) - 1] = '\0';
	r->client[sizeof(r->client) - 1] = '\0';
}

static int read_latency(int fd, const struct lidard_trace_key *key, struct lidard_histogram *cpus,
			int cpu_count, struct trace_picture *p)
{
	struct trace_latency *l;
	int i, r;

	if (bpf_map_lookup_elem(fd, key, cpus) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = grow((void **)&p->latencies, p->latency_count, sizeof(p->latencies[0]));
	if (r < 0)
		return r;
	l = &p->latencies[p->latency_count++];
	memset(l, 0, sizeof(*l));
	l->key = *key;
	end_texts(&l->key.reader);
	for (i = 0; i < cpu_count; i++)
		histogram_merge(&l->histogram, &cpus[i]);
	return 0;
}

static int compare_latencies(const void *a, const void *b)
{
	const struct lidard_trace_key *x = &((const struct trace_latency *)a)->key;
	const struct lidard_trace_key *y = &((const struct trace_latency *)b)->key;
	int r = strcmp(x->reader.sensor, y->reader.sensor);

	if (r == 0)
		r = strcmp(x->reader.client, y->reader.client);
	return r ? r : (int)x->stage - (int)y->stage;
}

static int read_latencies(const char *dir, struct trace_picture *p)
{
	struct lidard_trace_key key, *previous = NULL;
	int cpu_count = libbpf_num_possible_cpus(), fd, r = 0;
	struct lidard_histogram *cpus;
	size_t rounds = 0;

	if (cpu_count < 0)
		return cpu_count;
	fd = open_map(dir, "latency", sizeof(key), sizeof(*cpus));
	if (fd < 0)
		return fd;
	cpus = calloc((size_t)cpu_count, sizeof(*cpus));
	if (!cpus)
		r = -ENOMEM;
	/* a map that loses keys meanwhile begins again, hence a limit */
	while (r == 0 && rounds++ < 2 * LIDARD_TRACE_KEYS_MAX &&
	       bpf_map_get_next_key(fd, previous, &key) == 0) {
		r = read_latency(fd, &key, cpus, cpu_count, p);
		previous = &key;
	}
	if (p->latency_count)
		qsort(p->latencies, p->latency_count, sizeof(p->latencies[0]), compare_latencies);
	free(cpus);
	close(fd);
	return r;
}

/* ---- The others ------------------------------------------------------------------ */

static int read_drops(const char *dir, struct trace_picture *p)
{
	struct lidard_trace_drop_key key, *previous = NULL;
	struct lidard_trace_drops value;
	size_t rounds = 0;
	int fd, r = 0;

	fd = open_map(dir, "drops", sizeof(key), sizeof(value));
	if (fd < 0)
		return fd;
	while (r == 0 && rounds++ < 2 * LIDARD_TRACE_DROPS_MAX &&
	       bpf_map_get_next_key(fd, previous, &key) == 0) {
		previous = &key;
		if (bpf_map_lookup_elem(fd, &key, &value) < 0)
			continue;
		r = grow((void **)&p->drops, p->drop_count, sizeof(p->drops[0]));
		if (r < 0)
			break;
		p->drops[p->drop_count] = (struct trace_drop){ key, value };
		end_texts(&p->drops[p->drop_count++].key.reader);
	}
	close(fd);
	return r;
}

static int compare_outliers(const void *a, const void *b)
{
	uint64_t x = ((const struct lidard_trace_outlier *)a)->number;
	uint64_t y = ((const struct lidard_trace_outlier *)b)->number;

	return x < y ? -1 : x > y;
}

/* Return: is it whole? Its writer sets number to 0 first, and to another one last. */
static bool read_outlier(int fd, uint32_t index, struct lidard_trace_outlier *o)
{
	struct lidard_trace_outlier again;

	if (bpf_map_lookup_elem(fd, &index, o) < 0 || o->number == 0 ||
	    bpf_map_lookup_elem(fd, &index, &again) < 0 || memcmp(o, &again, sizeof(again)) != 0)
		return false;
	end_texts(&o->reader);
	o->comm[sizeof(o->comm) - 1] = '\0';
	o->subscriber.comm[sizeof(o->subscriber.comm) - 1] = '\0';
	o->daemon.comm[sizeof(o->daemon.comm) - 1] = '\0';
	return true;
}

static int read_outliers(const char *dir, struct trace_picture *p)
{
	uint32_t i;
	int fd;

	p->outliers = calloc(LIDARD_TRACE_OUTLIERS, sizeof(p->outliers[0]));
	if (!p->outliers)
		return -ENOMEM;
	fd = open_map(dir, "outliers", sizeof(i), sizeof(p->outliers[0]));
	if (fd < 0)
		return fd;
	for (i = 0; i < LIDARD_TRACE_OUTLIERS; i++)
		if (read_outlier(fd, i, &p->outliers[p->outlier_count]))
			p->outlier_count++;
	close(fd);
	qsort(p->outliers, p->outlier_count, sizeof(p->outliers[0]), compare_outliers);
	return 0;
}

static int read_settings(const char *dir, struct trace_picture *p)
{
	uint32_t zero = 0;
	int fd, r;

	fd = open_map(dir, "settings", sizeof(zero), sizeof(p->settings));
	if (fd < 0)
		return fd;
	r = bpf_map_lookup_elem(fd, &zero, &p->settings) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* lidard-trace holds the directory's lock as long as it watches. */
static bool is_watched(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool watched;

	if (fd < 0)
		return false;
	watched = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return watched;
}

int trace_reader_read(const char *pin_dir, struct trace_picture **ret_picture)
{
	struct trace_picture *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	r = read_latencies(pin_dir, p);
	if (r == 0)
		r = read_drops(pin_dir, p);
	if (r == 0)
		r = read_outliers(pin_dir, p);
	if (r == 0)
		r = read_settings(pin_dir, p);
	if (r < 0) {
		trace_picture_free(p);
		return r;
	}
	p->watching = is_watched(pin_dir);
	*ret_picture = p;
	return 0;
}

struct trace_picture *trace_picture_free(struct trace_picture *p)
{
	if (!p)
		return NULL;
	free(p->latencies);
	free(p->drops);
	free(p->outliers);
	free(p);
	return NULL;
}
