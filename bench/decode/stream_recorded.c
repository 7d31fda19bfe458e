/* SPDX-License-Identifier: Apache-2.0 */
/* stream_recorded.c - what a real sensor sent, out of a capture */
#include "bench/decode/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/capture.h"

static int check_there(const char *path, struct problem *problem)
{
	if (path[0] && access(path, R_OK) < 0)
		return problem_set(problem, -errno, "%.300s: %s", path, strerror(errno));
	return 0;
}

/* What lasts until the last packet comes, and as long as a packet takes. */
static void set_span(struct stream *s, uint64_t first_ns, uint64_t last_ns)
{
	if (s->count > 1)
		s->span_ns = (last_ns - first_ns) / (s->count - 1) * s->count;
}

/* Packets of points, and nothing else. */
static int read_packets(struct capture *c, struct stream *s, struct problem *problem)
{
	static struct decoder_packet looked;
	uint64_t first_ns = 0, last_ns = 0;
	struct datagram d;
	int r;

	while ((r = capture_next(c, &d, problem)) > 0) {
		if (r != CAPTURE_DATAGRAM ||
		    s->decoder->ops->look(s->decoder, d.data, d.bytes, &looked) != DECODER_POINTS)
			continue;
		stream_add(s, d.data, d.bytes);
		first_ns = s->count == 1 ? d.time_ns : first_ns;
		last_ns = d.time_ns;
	}
	set_span(s, first_ns, last_ns);
	s->decoder->ops->restart(s->decoder);
	if (r == 0 && s->count == 0)
		return problem_set(problem, -EINVAL, "no packet of this sensor in the capture");
	return r;
}

int stream_read(const char *decoder, const char *model, const char *path, const char *sensor_file,
		struct stream *ret, struct problem *problem)
{
	struct decoder_sensor sensor = {
		.name = "bench",
		.model = model,
		.metadata_path = sensor_file,
		.calibration_path = sensor_file,
	};
	const struct decoder_ops *ops;
	struct capture *capture = NULL;
	struct stream s = { 0 };
	int err;

	err = check_there(path, problem);
	if (err == 0)
		err = check_there(sensor_file, problem);
	if (err == 0)
		err = decoder_choose(decoder, &sensor, &ops, problem);
	if (err == 0)
		err = ops->open(&sensor, &s.decoder, problem);
	if (err == 0)
		err = capture_open(path, &capture, problem);
	if (err == 0)
		err = read_packets(capture, &s, problem);
	capture_free(capture);
	if (err < 0)
		stream_deinit(&s);
	else
		*ret = s;
	return err;
}
