/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost-lidar.c - a LIDAR for a virtual machine, as a process of the host
 *
 * Listens at a Unix socket for QEMU and fills the buffers that the guest's driver
 * posts, at the rate of a sensor (vhost_sensor.h).  When QEMU hangs up, or a
 * signal comes, it prints as JSON what became of every slice.  QEMU needs
 *
 *	-object memory-backend-memfd,id=m,size=2G,share=on -numa node,memdev=m
 *	-chardev socket,id=c,path=SOCKET
 *	-device vhost-user-fs-pci,chardev=c,tag=lidar:SERIAL,queue-size=256
 *
 * with the guest's memory for size.  Instead of the last, vhost-user-rng-pci
 * with nothing but the chardev works, too, slower (kmod/backend_virtio.c).
 *
 * One thread, one ppoll(): the connection, the queue's kick, signals, and the
 * time of the next piece of data.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/vm/vhost_sensor.h"

#define SLICE_BYTES_MAX (64u << 20)

static const char usage[] =
	"usage: vhost-lidar --socket PATH [OPTION]...\n"
	"Fill the buffers of a virtual machine as a LIDAR would; QEMU connects with\n"
	"vhost-user-fs-pci. Prints its account as JSON at the end.\n"
	"\n"
	"  --socket PATH         to listen at\n"
	"  --rate MB             a second (500); 0: as fast as the guest posts buffers\n"
	"  --slice-bytes N       (1048576)\n"
	"  --slices-per-frame N  (8)\n"
	"  --pattern none|words|full\n"
	"                        words: seq << 20 | page at the start of each page (default)\n"
	"  --crc                 CRC-32C of each slice\n"
	"  --drop N              lose every Nth slice\n"
	"  --short N             write half of every Nth slice\n"
	"  --stall MS@SEQ        stop for MS ms before slice SEQ, once\n"
	"  --interrupt-us N      at most one interrupt in N us; 0: one for each slice (default)\n"
	"  --bad-id SEQ          give slice SEQ back under an id that is none, once\n"
	"  --seconds N           stop producing after N seconds; 0: never (default)\n";

struct vhost_lidar {
	struct vhost_user guest;
	struct sensor sensor;
	int signal_fd;
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "vhost-lidar: %s: %s\n", what, strerror(-error));
	return error;
}

/* Wait for the one connection there will be. Return: its fd or -errno; -EINTR after a signal. */
static int accept_one(const char *path, int signal_fd)
{
	CLEANUP(cleanup_fd) int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct pollfd polled[] = {{listener, POLLIN, 0}, {signal_fd, POLLIN, 0}};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	unlink(path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0 || poll(polled, 2, -1) < 0)
		return -errno;
	if (polled[1].revents)
		return -EINTR;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void swallow_kick(int fd)
{
	uint64_t count;

	/* how often does not matter, and neither does failing: the queue is looked at anyway */
	(void)!read(fd, &count, sizeof(count));
}

/* Return: 1, 0 at the end, -errno. */
static int wait_until(struct vhost_lidar *l, uint64_t wake_ns)
{
	struct pollfd polled[] = {
		{l->guest.fd, POLLIN, 0},
		{l->signal_fd, POLLIN, 0},
		{sensor_waits(&l->sensor) ? l->guest.kick_fd : -1, POLLIN, 0},
	};
	uint64_t now = clock_now_ns(), left = wake_ns > now ? wake_ns - now : 0;
	struct timespec timeout = clock_to_timespec(left);

	if (ppoll(polled, 3, wake_ns == UINT64_MAX ? NULL : &timeout, NULL) < 0)
		return -errno;
	if (polled[1].revents)
		return 0;
	if (polled[2].revents)
		swallow_kick(l->guest.kick_fd);
	return polled[0].revents ? vhost_user_handle(&l->guest) : 1;
}

static int run(struct vhost_lidar *l)
{
	int r;

	do {
		r = wait_until(l, sensor_run(&l->sensor, clock_now_ns()));
		sensor_follow(&l->sensor);
	} while (r > 0);
	return r;
}

static void print_account(const struct vhost_lidar *l)
{
	const struct sensor_account *a = &l->sensor.account;

	printf("{\"produced\": %" PRIu64 ", \"delivered\": %" PRIu64 ", \"dropped_no_buffer\": %" PRIu64
	       ", \"dropped_fault\": %" PRIu64 ", \"abandoned\": %" PRIu64
	       ", \"delivered_bytes\": %" PRIu64 ", \"shortened\": %" PRIu64
	       ", \"broken_queues\": %" PRIu64 ", \"foreign_queues\": %" PRIu64
	       ", \"starts\": %" PRIu64 ", \"slipped_ms\": %.1f, \"seconds\": %.3f}\n",
	       a->produced, a->delivered, a->dropped_no_buffer, a->dropped_fault, a->abandoned,
	       a->delivered_bytes, a->shortened, a->broken_queues, a->foreign_queues,
	       l->guest.starts, a->slipped_ns / 1e6, a->produced_ns / 1e9);
}

/* Return: 0 or -EINVAL. */
static int parse_number(const char *text, uint64_t most, uint64_t *ret_number)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || n > most)
		return -EINVAL;
	*ret_number = n;
	return 0;
}

static int parse_pattern(const char *text, enum sensor_pattern *ret_pattern)
{
	static const char *const names[] = {"none", "words", "full"};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (!strcmp(text, names[i])) {
			*ret_pattern = (enum sensor_pattern)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_stall(char *text, struct sensor_options *o)
{
	char *at = strchr(text, '@');
	uint64_t ms;

	if (!at)
		return -EINVAL;
	*at = '\0';
	if (parse_number(text, 3600000, &ms) < 0 ||
	    parse_number(at + 1, UINT64_MAX, &o->stall_seq) < 0)
		return -EINVAL;
	o->stall_ns = ms * 1000000;
	return 0;
}

static int parse_option(int option, char *value, struct sensor_options *o)
{
	uint64_t n;
	int r = 0;

	switch (option) {
	case 'r':
		r = parse_number(value, 1000000, &n);
		o->rate = r < 0 ? 0 : n * 1000000;
		return r;
	case 'b':
		r = parse_number(value, SLICE_BYTES_MAX, &o->slice_bytes);
		return r < 0 || !o->slice_bytes ? -EINVAL : 0;
	case 'f':
		r = parse_number(value, UINT16_MAX, &n);
		o->slices_per_frame = r < 0 ? 0 : n;
		return o->slices_per_frame ? 0 : -EINVAL;
	case 'p':
		return parse_pattern(value, &o->pattern);
	case 'c':
		o->crc = true;
		return 0;
	case 'd':
		return parse_number(value, UINT64_MAX, &o->drop_every);
	case 'h':
		return parse_number(value, UINT64_MAX, &o->short_every);
	case 't':
		return parse_stall(value, o);
	case 'i':
		o->has_bad_id = true;
		return parse_number(value, UINT64_MAX, &o->bad_id_seq);
	case 'u':
		r = parse_number(value, 1000000, &n);
		o->interrupt_ns = r < 0 ? 0 : n * 1000;
		return r;
	case 's':
		return parse_number(value, 1000000, &o->seconds);
	default:
		return -EINVAL;
	}
}

static int parse(int argc, char **argv, struct sensor_options *o, const char **ret_socket)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 'S'},
		{"rate", required_argument, NULL, 'r'},
		{"slice-bytes", required_argument, NULL, 'b'},
		{"slices-per-frame", required_argument, NULL, 'f'},
		{"pattern", required_argument, NULL, 'p'},
		{"crc", no_argument, NULL, 'c'},
		{"drop", required_argument, NULL, 'd'},
		{"short", required_argument, NULL, 'h'},
		{"stall", required_argument, NULL, 't'},
		{"interrupt-us", required_argument, NULL, 'u'},
		{"bad-id", required_argument, NULL, 'i'},
		{"seconds", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	int option, index = 0;

	*ret_socket = NULL;
	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (option == 'S') {
			*ret_socket = optarg;
		} else if (option == '?') {
			return -EINVAL;
		} else if (parse_option(option, optarg, o) < 0) {
			fprintf(stderr, "vhost-lidar: bad value for --%s: %s\n",
				options[index].name, optarg);
			return -EINVAL;
		}
	}
	return *ret_socket && optind == argc ? 0 : -EINVAL;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	/* not on the stack: a chain is long */
	static struct vhost_lidar l = {
		.sensor.options = {
			.rate = 500000000,
			.slice_bytes = 1 << 20,
			.slices_per_frame = 8,
			.pattern = SENSOR_PATTERN_WORDS,
		},
	};
	const char *path;
	int fd, r;

	if (parse(argc, argv, &l.sensor.options, &path) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	l.signal_fd = open_signals();
	fd = accept_one(path, l.signal_fd);
	unlink(path);
	if (fd < 0)
		return fail(path, fd) < 0;
	vhost_user_init(&l.guest, fd);
	l.sensor.guest = &l.guest;
	r = run(&l);
	print_account(&l);
	vhost_user_deinit(&l.guest);
	close_fd(l.signal_fd);
	return r < 0 ? fail("connection with QEMU", r) < 0 : 0;
}
