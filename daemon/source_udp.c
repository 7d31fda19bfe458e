/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_udp.c - a sensor on the network
 *
 * udp_port.c delivers the datagrams of the address that the sensor sends to,
 * the sensor's decoder takes them apart, and frame_builder.c writes their
 * points into loans.  What this file adds is whose packets are taken, and what
 * it means when none come.
 *
 * Several sensors may send to one address.  Decoders know their sensor by its
 * serial where packets carry one, and ignore the others'.  Where they carry
 * none, "from" says whose they are; without it the first sender whose packets
 * the decoder understands is the sensor, for as long as it goes on: two
 * sensors are never mixed into one frame.
 *
 * A sensor that says nothing is silent, not lost: the source goes on listening,
 * its frame waits for the columns that are missing, and what the sensor's
 * numbers then show to have been lost is counted.  A sensor that begins anew
 * begins a new frame.  While it is silent its multicast group is joined again and
 * again: the interface may have been away.
 *
 * The fd is an epoll instance over the port's socket and a timer: armed in the
 * past while there is something to hand out, else at the moment at which the
 * sensor will have been silent for too long.
 */
#include "daemon/source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/frame_builder.h"
#include "daemon/loop.h"
#include "daemon/udp_port.h"
#include "decoder/decoder.h"

/** Datagrams taken in by one call of next(). */
#define DATAGRAMS_MAX 32
/** Without "from": another sender may take over when ours has said nothing for so long. */
#define SENDER_HOLD_NS NSEC_PER_SEC
/** They are few; those that are lost come again. */
#define STATUS_DATAGRAMS_MAX 4
#define STATUS_BUFFER_BYTES (64u << 10)
/** timerfd: 0 would disarm. */
#define AT_ONCE_NS 1

/*
 * The kernel should hold what a sensor sends while lidard does not run: for a
 * quarter of a second, at 20 revolutions a second, the fastest there are.
 */
#define BUFFER_FRAMES 5
#define BUFFER_BYTES_MIN (1u << 20)
#define BUFFER_BYTES_MAX (64u << 20)
/** No sensor sends more for a point, a column, a packet. */
#define POINT_BYTES 16
#define COLUMN_BYTES 32
#define PACKET_BYTES 64

struct udp {
	struct source base;
	struct decoder *decoder;
	struct frame_builder *builder;
	struct udp_listener listener;
	/** Where packets that are no points go, if listen_status says so. */
	struct udp_listener status_listener;
	/** -1 while stopped. */
	int epoll_fd;
	int timer_fd;
	uint64_t armed_ns;
	uint64_t silence_ns;
	/** When its group is to be joined again, should it be silent then. */
	uint64_t rejoin_ns;

	/** Whose packets are taken, 0: not known yet. */
	uint32_t sender;
	/** The newest packet of the sensor's came; before the first one: since when we listen. */
	uint64_t heard_ns;
	/** ignored_packets then. */
	uint64_t ignored;
	/** When the kernel was asked for TAI. */
	uint64_t kernel_asked_ns;
};

static struct udp *udp_of(struct source *s)
{
	return (struct udp *)s;
}

static void arm(struct udp *u, uint64_t when_ns)
{
	struct itimerspec when = { .it_value = clock_to_timespec(when_ns) };

	if (when_ns == u->armed_ns)
		return;
	/* cannot fail: the fd is a timer and the time is valid */
	timerfd_settime(u->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
	u->armed_ns = when_ns;
}

/* ---- packets ---- */

/* Hot path. */
static bool is_from_ours(const struct udp *u, const struct udp_datagram *d)
{
	if (!u->sender || d->source.address == u->sender)
		return true;
	return !u->base.config->from[0] && d->arrival_ns > u->heard_ns + SENDER_HOLD_NS;
}

/* Hot path. */
static void hear(struct udp *u, const struct udp_datagram *d)
{
	if (d->arrival_ns > u->heard_ns)
		u->heard_ns = d->arrival_ns;
	u->sender = d->source.address;
	u->ignored = u->base.stats.ignored_packets;
	/* next() looks out for the next one */
	if (u->base.silent)
		arm(u, AT_ONCE_NS);
	u->base.silent = false;
}

/* Hot path. */
static void look_at_clocks(struct udp *u, const struct udp_datagram *d)
{
	sensor_clock_arrive(&u->base.clock, d->arrival_ns, (int64_t)d->realtime_ns);
	/* somebody may tell the kernel while lidard runs */
	if (d->arrival_ns < u->kernel_asked_ns + NSEC_PER_SEC)
		return;
	u->kernel_asked_ns = d->arrival_ns;
	sensor_clock_tell_kernel(&u->base.clock, time_scale_ask_kernel_s());
}

/* Hot path. */
static void tap(struct udp *u, const struct udp_datagram *d)
{
	const struct lidard_packet_record record = {
		.source_port = d->source.port,
		.destination_port = d->destination.port,
		.source_address = d->source.address,
		.destination_address = d->destination.address,
		.realtime_ns = d->realtime_ns,
	};

	packet_taps_add(&u->base.taps, &record, d->data, d->bytes);
}

/* Hot path. */
static void take_in(struct udp *u, const struct udp_datagram *d)
{
	struct source_stats *stats = &u->base.stats;
	uint64_t packets = stats->packets;

	if (d->truncated) {
		stats->bad_packets++;
		return;
	}
	if (!is_from_ours(u, d)) {
		stats->ignored_packets++;
		return;
	}
	look_at_clocks(u, d);
	tap(u, d);
	u->base.side_waits = d->source.address != u->sender;
	frame_builder_push(u->builder, d->data, d->bytes, d->arrival_ns);
	if (stats->packets != packets)
		hear(u, d);
	u->listener.full = frame_builder_has_filled(u->builder);
	if (u->listener.full)
		arm(u, AT_ONCE_NS);
}

/* Hot path. */
static void udp_deliver(struct udp_listener *l, const struct udp_datagram *d)
{
	take_in(container_of(l, struct udp, listener), d);
}

static void udp_deliver_status(struct udp_listener *l, const struct udp_datagram *d)
{
	take_in(container_of(l, struct udp, status_listener), d);
}

static void udp_wake(struct udp_listener *l)
{
	arm(container_of(l, struct udp, listener), AT_ONCE_NS);
}

static void udp_wake_status(struct udp_listener *l)
{
	arm(container_of(l, struct udp, status_listener), AT_ONCE_NS);
}

/* ---- life ---- */

static void udp_close(struct udp *u)
{
	udp_listener_leave(&u->listener);
	udp_listener_leave(&u->status_listener);
	u->base.stats.overflow_packets = u->listener.dropped;
	u->builder = frame_builder_free(u->builder);
	if (u->decoder)
		u->decoder = u->decoder->ops->free(u->decoder);
	u->timer_fd = close_fd(u->timer_fd);
	u->epoll_fd = close_fd(u->epoll_fd);
}

int source_udp_check(const struct sensor_config *config, struct problem *problem)
{
	struct decoder_sensor sensor = sensor_config_decoder(config);
	const struct decoder_ops *ops;
	int r = decoder_choose(config->decoder, &sensor, &ops, problem);

	if (r < 0)
		return r;
	if (!config->listen[0])
		return problem_set(problem, -EINVAL,
				   "listen is not set; source = udp needs ADDRESS:PORT");
	return ops->check(&sensor, problem);
}

static size_t get_buffer_bytes(const struct udp *u)
{
	const struct decoder_geometry *g = &u->decoder->geometry;
	uint64_t column = COLUMN_BYTES + (uint64_t)g->column_points * POINT_BYTES;
	uint64_t packet = PACKET_BYTES + g->packet_columns * column;
	uint64_t bytes = u->base.config->receive_buffer;

	if (bytes)
		return (size_t)bytes;
	bytes = BUFFER_FRAMES * g->frame_packets * packet;
	if (bytes < BUFFER_BYTES_MIN)
		bytes = BUFFER_BYTES_MIN;
	return bytes < BUFFER_BYTES_MAX ? (size_t)bytes : BUFFER_BYTES_MAX;
}

static int udp_listen(struct udp *u, struct problem *problem)
{
	const struct sensor_config *config = u->base.config;
	struct udp_wish wish = {
		.name = config->name,
		.interface = config->interface,
		.buffer_bytes = get_buffer_bytes(u),
	};

	udp_address_parse(config->listen, &wish.listen);
	u->listener.deliver = udp_deliver;
	u->listener.wake = udp_wake;
	return udp_ports_listen(u->base.ports, &u->listener, &wish, &u->base.notice, problem);
}

static int udp_listen_for_status(struct udp *u, struct problem *problem)
{
	const struct sensor_config *config = u->base.config;
	/* the service manager's sockets named as the sensor are for its points */
	struct udp_wish wish = {
		.name = "",
		.interface = config->interface,
		.buffer_bytes = STATUS_BUFFER_BYTES,
	};
	struct problem notice;

	if (!config->listen_status[0])
		return 0;
	udp_address_parse(config->listen_status, &wish.listen);
	u->status_listener.deliver = udp_deliver_status;
	u->status_listener.wake = udp_wake_status;
	return udp_ports_listen(u->base.ports, &u->status_listener, &wish, &notice, problem);
}

static int make_fds(struct udp *u)
{
	struct epoll_event event = { .events = EPOLLIN };

	u->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	u->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (u->timer_fd < 0 || u->epoll_fd < 0 ||
	    epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, u->timer_fd, &event) < 0 ||
	    epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, udp_listener_get_fd(&u->listener), &event) < 0)
		return -errno;
	if (u->status_listener.port &&
	    epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, udp_listener_get_fd(&u->status_listener), &event) < 0)
		return -errno;
	return 0;
}

static int udp_open(struct udp *u, struct problem *problem)
{
	const struct sensor_config *config = u->base.config;
	struct decoder_sensor sensor = sensor_config_decoder(config);
	const struct decoder_ops *ops;
	int r = source_udp_check(config, problem);

	if (r == 0)
		r = decoder_choose(config->decoder, &sensor, &ops, problem);
	if (r == 0)
		r = ops->open(&sensor, &u->decoder, problem);
	if (r == 0)
		r = frame_builder_new(config, u->decoder, &u->base, 0, &u->builder, problem);
	if (r == 0)
		r = udp_listen(u, problem);
	if (r == 0)
		r = udp_listen_for_status(u, problem);
	if (r < 0)
		return r;
	r = make_fds(u);
	return r < 0 ? problem_set(problem, r, "cannot make a timer: %s", strerror(-r)) : 0;
}

static int udp_start(struct source *s, struct problem *problem)
{
	struct udp *u = udp_of(s);
	int r;

	assert(u->epoll_fd < 0 && s->ports);
	r = udp_open(u, problem);
	if (r < 0) {
		udp_close(u);
		return r;
	}
	source_restart_seq(s);
	snprintf(s->model, sizeof(s->model), "%s", u->decoder->geometry.model);
	snprintf(s->serial, sizeof(s->serial), "%s", u->decoder->geometry.serial);
	source_facts_learn(&s->facts, u->decoder);
	u->sender = 0;
	if (s->config->from[0])
		udp_address_parse_host(s->config->from, &u->sender);
	u->silence_ns = s->config->silence_ms * NSEC_PER_MSEC;
	u->heard_ns = clock_now_ns();
	u->ignored = s->stats.ignored_packets;
	s->silent = false;
	u->armed_ns = 0;
	/* the port may hold what was read for others */
	arm(u, AT_ONCE_NS);
	return 0;
}

static void udp_stop(struct source *s)
{
	struct udp *u = udp_of(s);

	if (u->epoll_fd < 0)
		return;
	frame_builder_reset(u->builder);
	udp_close(u);
	s->silent = false;
}

static struct source *udp_free(struct source *s)
{
	if (s) {
		udp_stop(s);
		free(udp_of(s));
	}
	return NULL;
}

static int udp_get_fd(struct source *s)
{
	return udp_of(s)->epoll_fd;
}

/* ---- loans ---- */

static size_t udp_wants(struct source *s)
{
	return frame_builder_wants(udp_of(s)->builder);
}

static void udp_lend(struct source *s, struct loan *loan)
{
	frame_builder_lend(udp_of(s)->builder, loan);
}

/* ---- when ---- */

/* Membership ends with an interface that goes; nobody tells. Return: when to look again, 0: never. */
static uint64_t rejoin(struct udp *u, uint64_t now_ns, struct problem *problem)
{
	problem->text[0] = '\0';
	if (!udp_listener_is_multicast(&u->listener))
		return 0;
	if (now_ns >= u->rejoin_ns) {
		udp_listener_rejoin(&u->listener, problem);
		u->rejoin_ns = now_ns + u->silence_ns;
	}
	return u->rejoin_ns;
}

static void describe_silence(struct udp *u, const struct problem *group)
{
	const struct sensor_config *config = u->base.config;
	uint64_t others = u->base.stats.ignored_packets - u->ignored;

	if (group->text[0])
		problem_set(&u->base.silence, 0, "nothing came to %s for %u ms: %s", config->listen,
			    config->silence_ms, group->text);
	else if (others)
		problem_set(&u->base.silence, 0,
			    "nothing came from the sensor for %u ms; %llu other datagrams came to "
			    "%s: do decoder = %s, metadata and from belong to it?",
			    config->silence_ms, (unsigned long long)others, config->listen,
			    config->decoder);
	else
		problem_set(&u->base.silence, 0, "nothing came to %s for %u ms", config->listen,
			    config->silence_ms);
}

/* All that came is taken in. Arm the timer for the moment at which that is too little. */
static void look_for_silence(struct udp *u)
{
	uint64_t now_ns = clock_now_ns();
	struct problem group;

	if (!u->silence_ns) {
		arm(u, 0);
		return;
	}
	if (u->base.silent) {
		arm(u, rejoin(u, now_ns, &group));
		return;
	}
	/* still ahead, though perhaps too early by now: then it looks again */
	if (u->armed_ns > now_ns)
		return;
	if (now_ns >= u->heard_ns + u->silence_ns) {
		arm(u, rejoin(u, now_ns, &group));
		describe_silence(u, &group);
		u->base.silent = true;
		return;
	}
	arm(u, u->heard_ns + u->silence_ns);
}

static int udp_next(struct source *s, struct loan **ret_loan, struct problem *problem)
{
	struct udp *u = udp_of(s);
	int r = 0;

	if (!u->listener.full)
		r = udp_listener_dispatch(&u->listener, DATAGRAMS_MAX);
	s->stats.overflow_packets = u->listener.dropped;
	if (r < 0)
		return problem_set(problem, r, "cannot receive at %s: %s", s->config->listen,
				   strerror(-r));
	if (u->status_listener.port &&
	    udp_listener_dispatch(&u->status_listener, STATUS_DATAGRAMS_MAX) > 0)
		r = 1;
	if (frame_builder_take(u->builder, ret_loan)) {
		u->listener.full = frame_builder_has_filled(u->builder);
		arm(u, AT_ONCE_NS);
		return SOURCE_FILLED;
	}
	if (r > 0)
		arm(u, AT_ONCE_NS);
	else
		look_for_silence(u);
	return SOURCE_NONE;
}

static void udp_refresh(struct source *s)
{
	struct udp *u = udp_of(s);

	udp_listener_refresh(&u->listener);
	s->stats.overflow_packets = u->listener.dropped;
}

static const struct source_ops udp_ops = {
	.name = "udp",
	.start = udp_start,
	.stop = udp_stop,
	.free = udp_free,
	.get_fd = udp_get_fd,
	.wants = udp_wants,
	.lend = udp_lend,
	.next = udp_next,
	.refresh = udp_refresh,
};

int source_udp_new(const struct sensor_config *config, struct source **ret_source,
		   struct problem *problem)
{
	struct udp *u = calloc(1, sizeof(*u));

	if (!u)
		return problem_set(problem, -ENOMEM, "out of memory");
	u->base.ops = &udp_ops;
	u->base.config = config;
	u->base.format = LIDARD_FORMAT_XYZIRT;
	u->base.has_packets = true;
	u->epoll_fd = -1;
	u->timer_fd = -1;
	*ret_source = &u->base;
	return 0;
}
