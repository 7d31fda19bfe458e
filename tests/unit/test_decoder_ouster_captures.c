/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder against recordings of real sensors: digests of every raw field
 * made by the vendor's own software, and points computed independently.
 */
#include "decoder/decoder_ouster.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/config.h"
#include "tests/support/capture_reader.h"
#include "tests/support/md5.h"

#define TOLERANCE_M 0.001

struct recording {
	char capture[64];
	char metadata[64];
	/** "" if the recording has no digests. */
	char digest[64];
	char expected[64];
};

#define OS_0_128 "OS-0-128-U1_v2.3.0_1024x10"
#define OS_0_32 "OS-0-32-U1_v2.2.0_1024x10"
#define OS_1_32 "OS-1-32-G_v2.1.1_1024x10"
#define OS_1_128 "OS-1-128_v2.3.0_1024x10"
#define ALL_FOUR(name)                                                      \
	{                                                                   \
		name ".pcap", name ".json", name "_digest.json",            \
			"ouster_" name ".json"                              \
	}

static struct recording recordings[] = {
	ALL_FOUR(OS_0_128),
	ALL_FOUR(OS_0_32),
	ALL_FOUR(OS_1_32),
	{ OS_1_128 "_lb_n3.pcap", OS_1_128 ".json", "", "ouster_" OS_1_128 "_lb_n3.json" },
	{ "windowed_frame1.pcap", "windowed_frame1_0.json", "", "ouster_windowed_frame1.json" },
};

static void path_to(const char *folder, const char *name, char ret[PATH_MAX])
{
	const char *data = getenv("LIDARD_TEST_DATA");

	snprintf(ret, PATH_MAX, "%s/%s/%s", data ? data : "", folder, name);
	if (!data || access(ret, R_OK) < 0)
		cr_skip_test("no recordings: %s is absent (LIDARD_TEST_DATA)", ret);
}

static pcap_t *capture_or_fail(const struct recording *r)
{
	char path[PATH_MAX], error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap;

	path_to("ouster", r->capture, path);
	pcap = pcap_open_offline(path, error);
	cr_assert(pcap, "%s", error);
	return pcap;
}

static struct json_object *json_or_fail(const char *folder, const char *name)
{
	struct json_object *json;
	char path[PATH_MAX];

	path_to(folder, name, path);
	json = json_object_from_file(path);
	cr_assert(json, "%s", path);
	return json;
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	cr_assert(json_object_object_get_ex(o, key, &v), "no %s", key);
	return v;
}

static double number(struct json_object *o, const char *key)
{
	return json_object_get_double(member(o, key));
}

static struct decoder *decoder_or_fail(const struct recording *r)
{
	static char path[PATH_MAX];
	struct decoder_sensor sensor = { .name = "front", .model = "", .metadata_path = path };
	struct problem problem = { "" };
	struct decoder *d = NULL;

	path_to("ouster", r->metadata, path);
	cr_assert_eq(decoder_ouster.open(&sensor, &d, &problem), 0, "%s", problem.text);
	return d;
}

static struct ouster_layout layout_or_fail(const struct recording *r)
{
	static struct ouster_metadata m;
	struct problem problem = { "" };
	struct ouster_layout l;
	char path[PATH_MAX];

	path_to("ouster", r->metadata, path);
	cr_assert_eq(ouster_metadata_read(path, "", &m, &problem), 0, "%s", problem.text);
	ouster_layout_init(&l, m.profile, m.columns_per_packet, m.pixels_per_column);
	return l;
}

/* --- raw fields --- */

/* Bytes of one value in the arrays that the digests are made of. */
static unsigned int value_bytes(const struct ouster_field *f, bool of_scan)
{
	if (strcmp(f->name, "STATUS") == 0)
		return of_scan ? 8 : 4;
	if (strcmp(f->name, "TIMESTAMP") == 0)
		return 8;
	if (strncmp(f->name, "RANGE", 5) == 0 || strncmp(f->name, "RAW32", 5) == 0)
		return 4;
	return f->width + f->scale <= 8 ? 1 : 2;
}

static void put(uint8_t *array, size_t index, unsigned int bytes, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		array[index * bytes + i] = (uint8_t)(value >> (8 * i));
}

/* Return: values of the field for all columns of the packet, rows first. */
static void add_packet(struct md5 *md5, const struct ouster_layout *l,
		       const struct ouster_field *f, const uint8_t *packet)
{
	const unsigned int bytes = value_bytes(f, false);
	const unsigned int rows = f->part == OUSTER_PIXEL ? l->pixels : 1;
	static uint8_t array[OUSTER_PACKET_BYTES_MAX];
	unsigned int row, i;

	for (row = 0; row < rows; row++)
		for (i = 0; i < l->columns; i++)
			put(array, row * l->columns + i, bytes,
			    ouster_field_get(l, f, packet, i, row));
	md5_add(md5, array, (size_t)rows * l->columns * bytes);
}

static void packet_digest(const struct recording *r, const char *name, char ret[33])
{
	const struct ouster_layout l = layout_or_fail(r);
	const struct ouster_field *f = ouster_profile_field(l.profile, name);
	pcap_t *pcap = capture_or_fail(r);
	struct capture_datagram datagram;
	struct md5 md5;

	cr_assert(f, "%s has no %s", l.profile->name, name);
	md5_init(&md5);
	while (capture_reader_next(pcap, &datagram))
		if (datagram.bytes == l.packet_bytes)
			add_packet(&md5, &l, f, datagram.data);
	md5_finish(&md5, ret);
	pcap_close(pcap);
}

static void scan_digest(const struct recording *r, const char *name, char ret[33])
{
	const struct ouster_layout l = layout_or_fail(r);
	const struct ouster_field *f = ouster_profile_field(l.profile, name);
	struct decoder *d = decoder_or_fail(r);
	const uint32_t columns = d->geometry.frame_columns;
	const unsigned int bytes = value_bytes(f, true);
	const unsigned int rows = f->part == OUSTER_PIXEL ? l.pixels : 1;
	uint8_t *array = calloc((size_t)rows * columns, bytes);
	static struct decoder_packet packet;
	struct capture_datagram datagram;
	pcap_t *pcap = capture_or_fail(r);
	unsigned int i, row;
	struct md5 md5;

	while (capture_reader_next(pcap, &datagram)) {
		if (d->ops->look(d, datagram.data, datagram.bytes, &packet) != DECODER_POINTS)
			continue;
		for (i = 0; i < packet.column_count; i++)
			for (row = 0; row < rows; row++)
				put(array, (size_t)row * columns + packet.columns[i].number, bytes,
				    ouster_field_get(&l, f, datagram.data, packet.positions[i],
						     row));
	}
	md5_init(&md5);
	md5_add(&md5, array, (size_t)rows * columns * bytes);
	md5_finish(&md5, ret);
	pcap_close(pcap);
	free(array);
	d->ops->free(d);
}

/* The digests' own tool wrote these wrongly or from elsewhere. */
static bool is_stale(const struct ouster_layout *l, const char *name)
{
	return strcmp(name, "ENCODER_COUNT") == 0 ||
	       (strcmp(name, "FRAME_ID") == 0 && l->profile->header_bytes);
}

ParameterizedTestParameters(decoder_ouster_captures, fields_have_the_vendors_digests)
{
	return cr_make_param_array(struct recording, recordings, 3);
}

ParameterizedTest(struct recording *r, decoder_ouster_captures, fields_have_the_vendors_digests)
{
	struct json_object *digest = json_or_fail("ouster", r->digest);
	const struct ouster_layout l = layout_or_fail(r);
	struct json_object *scans = member(digest, "scans");
	char hex[33];

	json_object_object_foreach(member(digest, "packet_hash"), name, hash) {
		if (is_stale(&l, name))
			continue;
		packet_digest(r, name, hex);
		cr_expect_str_eq(hex, json_object_get_string(hash), "%s: packets, %s", r->capture,
				 name);
	}
	cr_assert_eq(json_object_array_length(scans), 1);
	json_object_object_foreach(json_object_array_get_idx(scans, 0), key, scan_hash) {
		if (strcmp(key, "ENCODER_COUNT") == 0 || strcmp(key, "FRAME_ID") == 0)
			continue;
		scan_digest(r, key, hex);
		cr_expect_str_eq(hex, json_object_get_string(scan_hash), "%s: scan, %s", r->capture,
				 key);
	}
	json_object_put(digest);
}

/* --- points --- */

struct extent {
	double min;
	double max;
	double sum;
};

struct scan {
	uint64_t frame;
	uint32_t packets;
	uint32_t columns;
	uint32_t points[2];
	uint64_t range_mm[2];
	uint64_t reflectivity;
	uint64_t ambient;
	uint64_t signal;
	uint64_t first_ns;
	uint64_t last_ns;
	/** x, y, z, range of the first returns. */
	struct extent extent[4];
	/** The first returns, [column number][ring]; range 0: none. */
	struct lidard_point_xyzirt *image;
	uint32_t rings;
};

static void extend(struct extent *e, double v, bool first)
{
	e->min = first || v < e->min ? v : e->min;
	e->max = first || v > e->max ? v : e->max;
	e->sum += v;
}

static void add_point(struct scan *s, const struct lidard_point_xyzirt *p, uint32_t number_)
{
	const double v[4] = { p->x, p->y, p->z, p->range };
	unsigned int i;

	s->range_mm[p->return_number - 1] += (uint64_t)lround(p->range * 1000.0);
	if (s->points[p->return_number - 1]++ == 0 && p->return_number == 1)
		memset(s->extent, 0, sizeof(s->extent));
	if (p->return_number != 1)
		return;
	for (i = 0; i < 4; i++)
		extend(&s->extent[i], v[i], s->points[0] == 1);
	s->image[(size_t)number_ * s->rings + p->ring] = *p;
}

/* Sums over all pixels, of those without a return too, as the expectations count them. */
static uint64_t sum_of(const struct ouster_layout *l, const struct decoder_packet *p,
		       const char *name)
{
	const struct ouster_field *f = ouster_profile_field(l->profile, name);
	unsigned int i, row;
	uint64_t sum = 0;

	for (i = 0; f && i < p->column_count; i++)
		for (row = 0; row < l->pixels; row++)
			sum += ouster_field_get(l, f, p->data, p->positions[i], row);
	return sum;
}

static void add_packet_to_scan(struct scan *s, const struct decoder *d,
			       const struct ouster_layout *l, const struct decoder_packet *p)
{
	static struct lidard_point_xyzirt points[2 * OUSTER_PIXELS_MAX];
	unsigned int i;
	uint32_t k, n;

	cr_assert_eq(p->place, s->packets, "packets of these recordings are in order");
	s->packets++;
	s->reflectivity += sum_of(l, p, "REFLECTIVITY");
	s->ambient += sum_of(l, p, "NEAR_IR");
	s->signal += sum_of(l, p, "SIGNAL");
	for (i = 0; i < p->column_count; i++) {
		cr_assert_eq(p->columns[i].place, s->columns);
		cr_assert_eq(p->columns[i].frame, p->frame);
		if (s->columns++ == 0)
			s->first_ns = p->columns[i].time_ns;
		s->last_ns = p->columns[i].time_ns;
		n = d->ops->points(d, p, i, points);
		for (k = 0; k < n; k++)
			add_point(s, &points[k], p->columns[i].number);
	}
}

static void expect_extent(const struct recording *r, const struct scan *s,
			  struct json_object *expected, const char *key, unsigned int index)
{
	struct json_object *o = member(expected, key);
	const struct extent *e = &s->extent[index];

	cr_expect_float_eq(e->min, number(o, "min"), TOLERANCE_M, "%s: min %s", r->capture, key);
	cr_expect_float_eq(e->max, number(o, "max"), TOLERANCE_M, "%s: max %s", r->capture, key);
	cr_expect_float_eq(e->sum / s->points[0], number(o, "mean"), TOLERANCE_M, "%s: mean %s",
			   r->capture, key);
}

static void expect_samples(const struct recording *r, const struct scan *s,
			   struct json_object *expected)
{
	struct json_object *samples =
		member(expected, "sample_points(staggered row,col=measurement_id)");
	size_t i;

	cr_assert_gt(json_object_array_length(samples), 0);
	for (i = 0; i < json_object_array_length(samples); i++) {
		struct json_object *o = json_object_array_get_idx(samples, i);
		struct json_object *xyz = member(o, "xyz_m");
		size_t row = (size_t)number(o, "row"), column = (size_t)number(o, "col");
		const struct lidard_point_xyzirt *p = &s->image[column * s->rings + row];
		const float got[3] = { p->x, p->y, p->z };
		unsigned int k;

		cr_expect_float_eq(p->range * 1000.0, number(o, "range_mm"), 0.01);
		cr_expect_eq(p->intensity, (float)number(o, "reflectivity"));
		cr_expect_eq(p->ring, row);
		for (k = 0; k < 3; k++)
			cr_expect_float_eq(got[k],
					   json_object_get_double(
						   json_object_array_get_idx(xyz, k)),
					   TOLERANCE_M, "%s: row %zu column %zu axis %u",
					   r->capture, row, column, k);
	}
}

static void expect_count(const struct recording *r, struct json_object *expected, const char *key,
			 uint64_t got)
{
	struct json_object *v;

	if (json_object_object_get_ex(expected, key, &v))
		cr_expect_eq(got, json_object_get_uint64(v), "%s: %s is %lu", r->capture, key, got);
}

static void expect_scan(const struct recording *r, const struct scan *s,
			struct json_object *expected)
{
	expect_count(r, expected, "frame_id", s->frame);
	expect_count(r, expected, "packets", s->packets);
	expect_count(r, expected, "valid_columns", s->columns);
	expect_count(r, expected, "points_nonzero_range", s->points[0]);
	expect_count(r, expected, "points_nonzero_range2", s->points[1]);
	expect_count(r, expected, "range_mm_sum", s->range_mm[0]);
	expect_count(r, expected, "range2_mm_sum", s->range_mm[1]);
	expect_count(r, expected, "reflectivity_sum", s->reflectivity);
	expect_count(r, expected, "near_ir_sum", s->ambient);
	expect_count(r, expected, "signal_sum", s->signal);
	expect_count(r, expected, "first_valid_col_ts_ns", s->first_ns);
	expect_count(r, expected, "last_valid_col_ts_ns", s->last_ns);
	expect_extent(r, s, expected, "x", 0);
	expect_extent(r, s, expected, "y", 1);
	expect_extent(r, s, expected, "z", 2);
	expect_extent(r, s, expected, "range_m", 3);
	expect_samples(r, s, expected);
}

static void begin_scan(struct scan *s, const struct decoder *d, uint64_t frame)
{
	free(s->image);
	*s = (struct scan){ .frame = frame };
	s->rings = d->geometry.column_points;
	s->image = calloc((size_t)s->rings * OUSTER_COLUMNS_MAX, sizeof(*s->image));
}

ParameterizedTestParameters(decoder_ouster_captures, points_are_where_they_should_be)
{
	return cr_make_param_array(struct recording, recordings,
				   sizeof(recordings) / sizeof(recordings[0]));
}

ParameterizedTest(struct recording *r, decoder_ouster_captures, points_are_where_they_should_be)
{
	struct json_object *expected = json_or_fail("expected", r->expected);
	struct json_object *frames = member(expected, "frames");
	const struct ouster_layout l = layout_or_fail(r);
	struct decoder *d = decoder_or_fail(r);
	pcap_t *pcap = capture_or_fail(r);
	static struct decoder_packet packet;
	struct capture_datagram datagram;
	struct scan scan = { 0 };
	size_t done = 0, others = 0;

	while (capture_reader_next(pcap, &datagram)) {
		int outcome = d->ops->look(d, datagram.data, datagram.bytes, &packet);

		if (outcome != DECODER_POINTS) {
			cr_expect_eq(outcome, DECODER_SIDE);
			cr_expect_eq(datagram.port, 7503, "only the IMU's packets are no points");
			others++;
			continue;
		}
		if (!scan.image || packet.frame != scan.frame) {
			if (scan.image)
				expect_scan(r, &scan, json_object_array_get_idx(frames, done++));
			begin_scan(&scan, d, packet.frame);
		}
		add_packet_to_scan(&scan, d, &l, &packet);
	}
	expect_scan(r, &scan, json_object_array_get_idx(frames, done++));
	cr_expect_eq(done, json_object_array_length(frames), "%s: frames", r->capture);
	cr_expect_eq(scan.packets, d->geometry.frame_packets);
	cr_expect_eq(scan.columns, d->geometry.frame_columns);
	cr_expect_str_eq(d->geometry.serial, json_object_get_string(member(expected, "serial")));
	free(scan.image);
	pcap_close(pcap);
	d->ops->free(d);
	json_object_put(expected);
}
