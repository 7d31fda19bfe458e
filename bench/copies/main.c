/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - one path's turn: as fast as it goes, for a while
 *
 *	copies --list
 *	copies PATH SOURCE TO BYTES SECONDS FOLDER
 *
 * SOURCE: memory, cache, disk, direct.  TO: unix, tcp.  Files of frames are made in
 * FOLDER, which is on a disk, when they are not there.  This process sends, its child
 * receives; prints what both used as one line of JSON.  Exit status 77, with a reason:
 * this kernel cannot do it.  bench/run calls it and adds up.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/copies/copies.h"
#include "bench/fanout/frame.h"
#include "bench/page.h"
#include "common/clock.h"

#define BYTES_MAX (64ull << 20)
#define SECONDS_MAX 3600.0

static const char *const source_names[COPIES_SOURCE_COUNT] = {
	[COPIES_MEMORY] = "memory",
	[COPIES_CACHE] = "cache",
	[COPIES_DISK] = "disk",
	[COPIES_DIRECT] = "direct",
};

/* ---- What is sent ------------------------------------------------------------ */

static void make_frame(const struct copies *c, uint8_t *frame, uint64_t index)
{
	frame_fill(frame, c->bytes);
	frame_stamp(frame, c->bytes, index, 0);
}

static void make_memory(struct copies *c)
{
	uint64_t i;

	c->memory = copies_alloc(c->bytes * c->count);
	for (i = 0; i < c->count; i++)
		make_frame(c, c->memory + i * c->bytes, i);
}

static void write_file(const struct copies *c, const char *path)
{
	uint8_t *frame = copies_alloc(c->bytes);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t i;

	for (i = 0; fd >= 0 && i < c->count; i++) {
		make_frame(c, frame, i);
		if (write(fd, frame, c->bytes) != (ssize_t)c->bytes)
			copies_give_up(path);
	}
	/* pages that are not on the disk cannot leave the cache */
	if (fd < 0 || fsync(fd) < 0)
		copies_give_up(path);
	close(fd);
	free(frame);
}

static void read_through(const struct copies *c)
{
	uint8_t *frame = copies_alloc(c->bytes);
	uint64_t i;

	for (i = 0; i < c->count; i++)
		if (pread(c->file, frame, c->bytes, (off_t)(i * c->bytes)) != (ssize_t)c->bytes)
			copies_give_up("read of the file");
	free(frame);
}

static void open_file(struct copies *c, const char *folder)
{
	int flags = O_RDONLY | O_CLOEXEC | (c->source == COPIES_DIRECT ? O_DIRECT : 0);
	char path[512], new_path[520];

	snprintf(path, sizeof(path), "%s/frames-%" PRIu64, folder, c->bytes);
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	if (access(path, F_OK) < 0) {
		write_file(c, new_path);
		if (rename(new_path, path) < 0)
			copies_give_up(path);
	}
	c->file = open(path, flags);
	if (c->file < 0 && errno == EINVAL)
		copies_skip("this file system has no O_DIRECT");
	if (c->file < 0)
		copies_give_up(path);
	if (c->source == COPIES_CACHE)
		read_through(c);
}

/* The file's pages leave the cache; this is not the path's cost. Return: CPU time it took. */
static uint64_t drop_pages(struct copies *c)
{
	uint64_t begin_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (c->path->forget)
		c->path->forget(c);
	if (posix_fadvise(c->file, 0, 0, POSIX_FADV_DONTNEED) != 0)
		copies_give_up("fadvise");
	return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - begin_ns;
}

/* ---- The socket -------------------------------------------------------------- */

static void connect_tcp(int ends[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		copies_give_up("listen");
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ends[0] < 0 || connect(ends[0], (struct sockaddr *)&address, sizeof(address)) < 0)
		copies_give_up("connect");
	ends[1] = accept(listener, NULL, NULL);
	if (ends[1] < 0)
		copies_give_up("accept");
	close(listener);
}

static pid_t start_receiver(struct copies *c)
{
	pid_t parent = getpid(), pid;
	int ends[2];

	if (c->tcp)
		connect_tcp(ends);
	else if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		copies_give_up("socketpair");
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		copies_give_up("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		close(ends[0]);
		copies_receive(c, ends[1]);
	}
	/* if the receiver ends, sending fails */
	close(ends[1]);
	c->socket = ends[0];
	return pid;
}

/* ---- The turn ---------------------------------------------------------------- */

struct turn {
	struct copies_usage begin;
	struct copies_usage end;
	uint64_t frames;
};

/* Return: CPU time that is not the path's. */
static uint64_t send_next(struct copies *c, uint64_t number)
{
	uint64_t other_ns = 0;

	if (c->source == COPIES_DISK && number % c->count == 0)
		other_ns = drop_pages(c);
	c->path->send(c, number % c->count);
	return other_ns;
}

static void play(struct copies *c, uint64_t duration_ns, struct turn *ret_turn)
{
	uint64_t number, other_ns = 0, end_ns;
	struct turn t;

	for (number = 0; number < COPIES_WARM_UP; number++)
		send_next(c, number);
	t.begin = copies_get_usage(c->calls);
	end_ns = clock_now_ns() + duration_ns;
	while (clock_now_ns() < end_ns)
		other_ns += send_next(c, number++);
	PAGE_SET(c->page->last, number);
	other_ns += send_next(c, number++);
	if (c->path->finish)
		c->path->finish(c);
	t.end = copies_get_usage(c->calls);
	t.end.cpu_ns -= other_ns < t.end.cpu_ns - t.begin.cpu_ns ? other_ns : 0;
	t.frames = number - COPIES_WARM_UP;
	*ret_turn = t;
}

static void wait_for_receiver(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "the receiver ended with wait status 0x%x\n", status);
		_exit(EXIT_FAILURE);
	}
}

static void print_usage(const char *who, const struct copies_usage *a, const struct copies_usage *b)
{
	printf(", \"%s\": {\"cpu_ns\": %" PRIu64 ", \"calls\": %" PRIu64 ", \"voluntary\": %" PRIu64
	       ", \"involuntary\": %" PRIu64 ", \"disk_bytes\": %" PRIu64 "}",
	       who, b->cpu_ns - a->cpu_ns, b->calls - a->calls, b->voluntary - a->voluntary,
	       b->involuntary - a->involuntary, b->disk_bytes - a->disk_bytes);
}

static void print_result(const struct copies *c, const struct turn *t)
{
	printf("{\"contender\": \"%s\", \"source\": \"%s\", \"to\": \"%s\", \"bytes\": %" PRIu64
	       ", \"frames\": %" PRIu64 ", \"duration_ns\": %" PRIu64 ", \"told\": %" PRIu64
	       ", \"copied\": %" PRIu64,
	       c->path->name, source_names[c->source], c->tcp ? "tcp" : "unix", c->bytes, t->frames,
	       c->page->end.now_ns - c->page->begin.now_ns, c->told, c->copied);
	print_usage("sender", &t->begin, &t->end);
	print_usage("receiver", &c->page->begin, &c->page->end);
	puts("}");
}

static void run(struct copies *c, uint64_t duration_ns, const char *folder)
{
	struct turn turn;
	pid_t receiver;

	/* a receiver that ended is an error like others, not a signal */
	signal(SIGPIPE, SIG_IGN);
	c->count = COPIES_BYTES / c->bytes;
	c->file = -1;
	c->page = mmap(NULL, sizeof(*c->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (c->page == MAP_FAILED)
		copies_give_up("mmap");
	c->page->last = UINT64_MAX;
	if (c->source != COPIES_MEMORY)
		open_file(c, folder);
	receiver = start_receiver(c);
	if (c->source == COPIES_MEMORY)
		make_memory(c);
	if (c->path->open)
		c->path->open(c);
	play(c, duration_ns, &turn);
	wait_for_receiver(receiver);
	print_result(c, &turn);
}

/* ---- Arguments --------------------------------------------------------------- */

static _Noreturn void refuse(const char *what, const char *value, const char *right)
{
	fprintf(stderr, "copies: %s %s: %s\n", what, value, right);
	exit(2);
}

static double number(const char *what, const char *text, double min, double max, const char *right)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max))
		refuse(what, text, right);
	return value;
}

static void parse(char **argv, struct copies *c, uint64_t *ret_duration_ns)
{
	const char *right = "must be 4096 to 67108864, in steps of 4096";
	unsigned int i;

	for (i = 0; copies_paths[i] && strcmp(copies_paths[i]->name, argv[1]) != 0; i++)
		;
	c->path = copies_paths[i];
	if (!c->path)
		refuse("PATH", argv[1], "not among those of --list");
	for (i = 0; i < COPIES_SOURCE_COUNT && strcmp(source_names[i], argv[2]) != 0; i++)
		;
	if (i == COPIES_SOURCE_COUNT)
		refuse("SOURCE", argv[2], "must be memory, cache, disk or direct");
	c->source = (enum copies_source)i;
	c->tcp = strcmp(argv[3], "tcp") == 0;
	if (!c->tcp && strcmp(argv[3], "unix") != 0)
		refuse("TO", argv[3], "must be unix or tcp");
	c->bytes = (uint64_t)number("BYTES", argv[4], FRAME_STEP, BYTES_MAX, right);
	if (c->bytes % FRAME_STEP)
		refuse("BYTES", argv[4], right);
	*ret_duration_ns = (uint64_t)(number("SECONDS", argv[5], 0.001, SECONDS_MAX,
					     "must be 0.001 to 3600") * 1e9);
}

int main(int argc, char **argv)
{
	static struct copies c;
	uint64_t duration_ns;
	unsigned int i;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (i = 0; copies_paths[i]; i++)
			puts(copies_paths[i]->name);
		return EXIT_SUCCESS;
	}
	if (argc != 7) {
		fputs("usage: copies PATH SOURCE TO BYTES SECONDS FOLDER\n"
		      "       copies --list\n", stderr);
		return 2;
	}
	parse(argv, &c, &duration_ns);
	run(&c, duration_ns, argv[6]);
	return EXIT_SUCCESS;
}
