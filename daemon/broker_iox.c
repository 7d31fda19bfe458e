/* SPDX-License-Identifier: Apache-2.0 */
/* broker_iox.c - see broker_iox.h */
#include "daemon/broker_iox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/broker_id.h"
#include "common/cleanup.h"
#include "daemon/lock_file.h"
#include <iceoryx_binding_c/api.h>

#define RUNTIME_NAME_MAX 100
#define ANSWER_TIMEOUT_S 5
/* Where iceoryx locks a runtime name, by flock(). */
#define NAME_LOCK_FORMAT "/tmp/%s.lock"

/* Exit status when iceoryx says it cannot go on: started again by the service manager. */
#define EXIT_BROKER_FATAL 70

struct broker {
	char id[BROKER_ID_MAX];
	iox_sub_storage_t introspection_storage;
	iox_sub_t introspection;
	struct broker_pool pools[BROKER_POOLS_MAX];
	size_t pool_count;
};

/*
 * iceoryx calls this (iox::errorHandler, C++-mangled) for every error.  Debian
 * builds with asserts on, so its own handler aborts for SEVERE errors too; ours
 * lets those pass, and the call that met them fails softly.  FATAL ones must
 * not return.
 */
__attribute__((visibility("default"))) void
_ZN3iox12errorHandlerENS_5ErrorERKSt8functionIFvvEENS_10ErrorLevelE(uint32_t error,
								    const void *callback,
								    uint32_t level);
void _ZN3iox12errorHandlerENS_5ErrorERKSt8functionIFvvEENS_10ErrorLevelE(uint32_t error,
									 const void *callback,
									 uint32_t level)
{
	if (level != 0)
		return;
	fprintf(stderr, "lidard: iceoryx reports fatal error %u; ending, to be started again\n",
		error);
	_exit(EXIT_BROKER_FATAL);
}

int broker_probe(struct problem *problem)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = BROKER_SOCKET };
	CLEANUP(cleanup_fd) int fd = -1;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return problem_set(problem, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	if (errno == EACCES || errno == EPERM)
		return problem_set(problem, -EACCES,
				   "no permission to talk to RouDi at " BROKER_SOCKET
				   ": this user (uid %u) must be in RouDi's group",
				   (unsigned int)getuid());
	return problem_set(problem, -ECONNREFUSED,
			   "RouDi is not running (nobody listens at " BROKER_SOCKET
			   "): start lidard-roudi.service, or iox-roudi -m off -c FILE with what "
			   "lidard --print-roudi-config prints");
}

int broker_probe_registration(unsigned int timeout_s, struct problem *problem)
{
	char name[RUNTIME_NAME_MAX];
	int r;

	r = broker_probe(problem);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "lidard-probe-%d", (int)getpid());
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	alarm(timeout_s);
	iox_runtime_init(name);
	/* exit() takes leave of RouDi, which may hang by then: the alarm goes on */
	return 0;
}

static void subscribe_introspection(struct broker *b)
{
	iox_sub_options_t options;

	iox_sub_options_init(&options);
	options.queueCapacity = 1;
	options.historyRequest = 1;
	options.queueFullPolicy = QueueFullPolicy_DISCARD_OLDEST_DATA;
	b->introspection = iox_sub_init(&b->introspection_storage, "Introspection", "RouDi_ID",
					"MemPool", &options);
}

/* iceoryx waits for a minute, or for ever, deep inside a call: only ending helps. */
static void end_of_patience(int signal_number)
{
	static const char text[] = "lidard: RouDi is there but does not answer; ending, to be started "
				   "again together with it\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(BROKER_EXIT_LOST);
}

void broker_expect_answer(void)
{
	struct sigaction action = { .sa_handler = end_of_patience };

	sigaction(SIGALRM, &action, NULL);
	alarm(ANSWER_TIMEOUT_S);
}

void broker_have_answer(void)
{
	alarm(0);
	signal(SIGALRM, SIG_DFL);
}

/* iceoryx would end the process if its name is locked. */
static int wait_for_name(const char *runtime_name, struct problem *problem)
{
	char path[RUNTIME_NAME_MAX + sizeof(NAME_LOCK_FORMAT)];
	CLEANUP(cleanup_fd) int fd = -1;

	snprintf(path, sizeof(path), NAME_LOCK_FORMAT, runtime_name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	/* another user's, for instance: iceoryx will say */
	if (fd < 0 || lock_file_take(fd) != -EWOULDBLOCK)
		return 0;
	return problem_set(problem, -EBUSY, "another process is registered with RouDi as %s (it holds %s)",
			   runtime_name, path);
}

/* iceoryx lets children inherit its files, locks among them: no program we start is to keep them. */
static void close_all_on_exec(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd, flags;

	while (dir && (entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;
		if (flags >= 0)
			fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
	}
	if (dir)
		closedir(dir);
}

int broker_open(const char *runtime_name, struct broker **ret_broker, struct problem *problem)
{
	CLEANUP(cleanup_free) struct broker *b = NULL;
	int r;

	if (strlen(runtime_name) >= RUNTIME_NAME_MAX)
		return problem_set(problem, -ENAMETOOLONG, "runtime name '%s' is too long",
				   runtime_name);
	b = calloc(1, sizeof(*b));
	if (!b)
		return problem_set(problem, -ENOMEM, "out of memory");
	r = broker_probe(problem);
	if (r == 0)
		r = wait_for_name(runtime_name, problem);
	if (r < 0)
		return r;
	/* before we register: should RouDi be replaced meanwhile, broker_check() sees it */
	r = broker_id_read(b->id);
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	broker_expect_answer();
	iox_runtime_init(runtime_name);
	close_all_on_exec();
	if (r == 0)
		subscribe_introspection(b);
	broker_have_answer();
	if (r < 0)
		return problem_set(problem, r, "cannot look at " BROKER_SOCKET " and " BROKER_MEMORY ": %s",
				   strerror(-r));
	*ret_broker = STEAL(b);
	return 0;
}

struct broker *broker_free(struct broker *b)
{
	if (!b)
		return NULL;
	if (b->introspection)
		iox_sub_deinit(b->introspection);
	free(b);
	return NULL;
}

const char *broker_get_id(const struct broker *b)
{
	return b->id;
}

int broker_check(const struct broker *b)
{
	char id[BROKER_ID_MAX];

	if (broker_probe(NULL) < 0 || broker_id_read(id) < 0)
		return -ECONNREFUSED;
	return strcmp(id, b->id) == 0 ? 0 : -ESTALE;
}

/*
 * RouDi's mempool introspection sample is a C++ object, for which the binding
 * has no type; this is its layout in iceoryx 2.0.3 on 64-bit machines
 * (iceoryx_posh/roudi/introspection_types.hpp): a vector of at most 101
 * segments, each with id, two strings of 32 characters and a vector of at most
 * 32 pools; a vector or string keeps its size behind its elements.
 */
struct introspection_pool {
	uint32_t used;
	uint32_t min_free;
	uint32_t chunks;
	uint32_t chunk_size;
	uint32_t size;
};

struct introspection_string {
	char text[40];
	uint64_t length;
};

struct introspection_segment {
	uint64_t id;
	struct introspection_string writer;
	struct introspection_string reader;
	struct introspection_pool pools[BROKER_POOLS_MAX];
	uint64_t pool_count;
};

#define INTROSPECTION_SEGMENTS_MAX 101

struct introspection_sample {
	struct introspection_segment segments[INTROSPECTION_SEGMENTS_MAX];
	uint64_t segment_count;
};

_Static_assert(sizeof(struct introspection_segment) == 752, "as iceoryx 2.0.3 lays it out");
_Static_assert(sizeof(struct introspection_sample) == 75960, "as iceoryx 2.0.3 lays it out");

static uint64_t segment_bytes(const struct introspection_segment *segment)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < segment->pool_count && i < BROKER_POOLS_MAX; i++)
		bytes += (uint64_t)segment->pools[i].chunks * segment->pools[i].chunk_size;
	return bytes;
}

/* Segment 0 of the sample is RouDi's own; the payload segments follow. */
static const struct introspection_segment *
payload_segment(const struct introspection_sample *sample)
{
	const struct introspection_segment *best = NULL;
	size_t i;

	if (sample->segment_count > INTROSPECTION_SEGMENTS_MAX)
		return NULL;
	for (i = 1; i < sample->segment_count; i++)
		if (!best || segment_bytes(&sample->segments[i]) > segment_bytes(best))
			best = &sample->segments[i];
	return best && best->pool_count <= BROKER_POOLS_MAX ? best : NULL;
}

static void keep_pools(struct broker *b, const struct introspection_segment *segment)
{
	size_t i;

	b->pool_count = segment->pool_count;
	for (i = 0; i < segment->pool_count; i++)
		b->pools[i] = (struct broker_pool){
			.size = segment->pools[i].size,
			.chunks = segment->pools[i].chunks,
			.used = segment->pools[i].used,
			.min_free = segment->pools[i].min_free,
		};
}

size_t broker_read_pools(struct broker *b, struct broker_pool pools[BROKER_POOLS_MAX])
{
	const struct introspection_segment *segment;
	const void *payload;

	if (iox_sub_take_chunk(b->introspection, &payload) == ChunkReceiveResult_SUCCESS) {
		segment = payload_segment(payload);
		if (segment)
			keep_pools(b, segment);
		iox_sub_release_chunk(b->introspection, payload);
	}
	memcpy(pools, b->pools, b->pool_count * sizeof(pools[0]));
	return b->pool_count;
}
