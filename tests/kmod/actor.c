/* SPDX-License-Identifier: Apache-2.0 */
/* actor.c - see actor.h; what it can do is a row of the table at the end */
#include "tests/kmod/actor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kmod/actor_moves.h"
#include "tests/kmod/failing.h"
#include "tests/kmod/sim.h"

#define BLOCKS_MS   30
#define CHILD_STEPS 60

static void on_tick(int number)
{
	(void)number;
}

void actor_init(void)
{
	struct sigaction tick = {.sa_handler = on_tick};

	actor_catch_faults();
	/* without SA_RESTART: it ends calls that wait */
	sigaction(SIGALRM, &tick, NULL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
}

/* No call waits for ever. */
static void start_ticking(void)
{
	struct itimerspec every = {.it_interval.tv_nsec = BLOCKS_MS * 1000000,
				   .it_value.tv_nsec = BLOCKS_MS * 1000000};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
	timer_t timer;

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &every, NULL))
		die("timer_create: %s", strerror(errno));
}

/* ---- what an actor has ---- */

int *actor_any_file(struct actor *a)
{
	return &a->files[below(a, ACTOR_FILES)];
}

int actor_open_file(struct actor *a)
{
	int *file = actor_any_file(a), tries = 4;

	while (*file < 0 && tries--)
		file = actor_any_file(a);
	return *file;
}

int actor_ring_file(struct actor *a)
{
	return a->ring && *a->ring >= 0 && !one_in(a, 6) ? *a->ring : actor_open_file(a);
}

void actor_keep_file(struct actor *a, int fd)
{
	int *file = actor_any_file(a);

	if (file == a->ring && !one_in(a, 8))
		file = actor_any_file(a);
	if (fd < 0)
		return;
	if (*file >= 0)
		close(*file);
	*file = fd;
}

struct actor_mapping *actor_any_mapping(struct actor *a)
{
	struct actor_mapping *mapping = &a->mappings[below(a, ACTOR_MAPPINGS)];
	int tries = 4;

	while (!mapping->at && tries--)
		mapping = &a->mappings[below(a, ACTOR_MAPPINGS)];
	return mapping;
}

void actor_drop_mapping(struct actor_mapping *mapping)
{
	if (mapping->at)
		munmap(mapping->at, mapping->bytes);
	*mapping = (struct actor_mapping){};
}

struct actor_mapping *actor_keep_mapping(struct actor *a, void *at, size_t bytes)
{
	struct actor_mapping *mapping = &a->mappings[below(a, ACTOR_MAPPINGS)];

	if (at == MAP_FAILED)
		return NULL;
	actor_drop_mapping(mapping);
	*mapping = (struct actor_mapping){.at = at, .bytes = bytes};
	return mapping;
}

struct actor_mapping *actor_control_page(struct actor *a)
{
	unsigned int i, first = below(a, ACTOR_MAPPINGS);

	for (i = 0; i < ACTOR_MAPPINGS; i++)
		if (a->mappings[(first + i) % ACTOR_MAPPINGS].control)
			return &a->mappings[(first + i) % ACTOR_MAPPINGS];
	return NULL;
}

void actor_begin_failing(struct actor *a)
{
	if (a->nth >= 0 && one_in(a, 8))
		failing_arm(a->nth, 1 + below(a, one_in(a, 4) ? 300 : 12));
}

void actor_end_failing(struct actor *a)
{
	if (a->nth >= 0)
		failing_disarm(a->nth);
}

void *actor_somewhere(struct actor *a, void *argument)
{
	struct actor_mapping *mapping = actor_any_mapping(a);

	switch (below(a, 5)) {
	case 0: return NULL;
	case 1: return (void *)any(a);
	case 2: return (void *)(0xffff888000000000ull | below(a, 1u << 30));
	case 3: return mapping->at ? mapping->at + below(a, mapping->bytes) : argument;
	default: return (uint8_t *)argument + 1;
	}
}

/* ---- processes ---- */

static void step(struct actor *a);

static void live_as_child(struct actor *a)
{
	struct itimerval tick = {.it_interval.tv_usec = BLOCKS_MS * 1000,
				 .it_value.tv_usec = BLOCKS_MS * 1000};
	static char name[] = "true";
	char *const argv[] = {name, NULL};
	struct actor_place place = {};
	int steps = (int)below(a, CHILD_STEPS);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setitimer(ITIMER_REAL, &tick, NULL);
	a->child = true;
	a->place = &place;
	if (a->nth >= 0) {
		close(a->nth);
		a->nth = failing_open();
	}
	while (steps-- && !a->stage->over)
		step(a);
	switch (below(a, 4)) {
	case 0: execv("/bin/true", argv); break;
	case 1: kill(getpid(), SIGKILL); break;
	default: break;
	}
	_exit(0);
}

static void move_leave_child(struct actor *a)
{
	uint64_t seed = any(a);
	pid_t pid;

	if (a->child)
		return;
	actor_begin_failing(a);
	pid = fork();
	if (pid == 0) {
		a->random = seed;
		live_as_child(a);
	}
	actor_end_failing(a);
}

static void move_rest(struct actor *a)
{
	nanosleep(&(struct timespec){.tv_nsec = below(a, 3000000)}, NULL);
}

/* ---- all of it ---- */

static const struct action {
	const char *name;
	unsigned int weight;
	void (*function)(struct actor *a);
} actions[] = {
	{"INFO, STATS", 4, move_ask},
	{"SETUP", 14, move_set_up},
	{"REGISTER", 12, move_register_memory},
	{"a stream, from the beginning", 8, move_begin_stream},
	{"START", 14, move_start_stream},
	{"STOP", 4, move_stop_stream},
	{"KICK", 6, move_kick},
	{"GET_FRAME", 14, move_get_frame},
	{"RELEASE_FRAME", 6, move_release_frame},
	{"EXPORT", 8, move_export},
	{"ADOPT", 3, move_adopt},
	{"a call that is none", 4, move_call_nonsense},
	{"open", 12, move_open_device},
	{"close", 5, move_close_file},
	{"dup", 3, move_duplicate},
	{"passing files on", 3, move_pass_on},
	{"read", 6, move_read_file},
	{"poll, epoll", 6, move_wait_for_it},
	{"other calls on files", 6, move_misuse_file},
	{"importing a dma-buf", 6, move_import},
	{"mmap", 14, move_map_file},
	{"munmap, mprotect, madvise", 8, move_change_mapping},
	{"touching a mapping", 4, move_touch_mapping},
	{"using the rings", 16, move_use_rings},
	{"scribbling into the control page", 3, move_scribble},
	{"fork", 1, move_leave_child},
	{"rest", 3, move_rest},
	{"a fault of the device", 4, move_fault_sim},
	{"plugging in and out", 1, move_plug_sim},
	{"binding and unbinding", 1, move_bind_driver},
	{"feeding", 2, move_feed},
	{"sysfs", 2, move_look_at_sysfs},
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))
_Static_assert(ACTIONS <= ACTOR_ACTIONS, "room for each");

const char *actor_action(unsigned int action)
{
	return action < ACTIONS ? actions[action].name : NULL;
}

static void step(struct actor *a)
{
	unsigned int i, total = 0, at;

	for (i = 0; i < ACTIONS; i++)
		total += actions[i].weight;
	at = below(a, total);
	for (i = 0; at >= actions[i].weight; i++)
		at -= actions[i].weight;
	a->place->action = i;
	a->place->made[i]++;
	actions[i].function(a);
	a->place->steps++;
}

void actor_run(const struct actor_stage *stage, struct actor_place *place)
{
	struct actor a = {.random = place->seed, .stage = stage, .place = place, .nth = -1};
	unsigned int i;

	for (i = 0; i < ACTOR_FILES; i++)
		a.files[i] = -1;
	if (stage->failing)
		a.nth = failing_open();
	start_ticking();
	while (!stage->over)
		step(&a);
	for (i = 0; i < ACTOR_FILES; i++)
		if (a.files[i] >= 0)
			close(a.files[i]);
	for (i = 0; i < ACTOR_MAPPINGS; i++)
		actor_drop_mapping(&a.mappings[i]);
	if (a.nth >= 0)
		close(a.nth);
}
