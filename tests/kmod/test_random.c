/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_random.c - nothing that anybody does harms anybody else, or the kernel
 *
 *	test_random [--seconds N] [--seed S]
 *
 * Actors (actor.h), some threads in each of some processes, set about five
 * simulated LIDARs for N seconds (8; $LIDARD_DEBUG_SECONDS), as their random
 * numbers want it.  Now and then one of the processes is killed and another
 * takes its place.  Meanwhile a victim streams from a sixth device, which the
 * actors may open as well, and looks at every page of every slice.  In the end
 * no actor may hang, the victim must have seen nothing wrong, and the devices
 * must be free and stream again.  That the kernel has nothing to complain of and
 * that nothing leaks is seen by whoever runs this (tests/kmod/run.py).
 *
 * The seed is printed.  What the actors do follows from it; who comes first does
 * not.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/splitmix64.h"
#include "tests/kmod/actor.h"
#include "tests/kmod/failing.h"
#include "tests/kmod/sim.h"

#define PROCESSES  3u
#define THREADS    2u
#define SECONDS    8u
#define HANGS_S    400u /* the machine may be emulated, and so busy that nothing moves for minutes */
#define SLOTS      8u
#define SLOT_BYTES 16384u

/** struct common - what all processes share */
struct common {
	struct actor_stage stage;
	struct actor_place places[PROCESSES][THREADS];
	volatile uint64_t victims_slices;
	volatile uint64_t victims_lost;
	volatile bool victim_ends;
};

static struct common *common;

/** struct crew - a process of actors, and when each of them made its last step */
struct crew {
	pid_t pid;
	uint64_t steps[THREADS];
	uint64_t moved_ns[THREADS];
};

static unsigned int results, failures;

__attribute__((format(printf, 2, 3))) static void result(bool good, const char *format, ...)
{
	va_list args;

	failures += !good;
	printf("%s %u - ", good ? "ok" : "not ok", ++results);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* ---- streaming, as it should be ---- */

static void *set_up(int fd)
{
	struct lidar_ring_setup setup = {.memory = LIDAR_RING_MEMORY_KERNEL, .slot_count = SLOTS,
					 .slot_bytes = SLOT_BYTES};
	void *data;

	if (ioctl(fd, LIDAR_RING_IOC_SETUP, &setup))
		die("SETUP: %s", strerror(errno));
	data = mmap(NULL, setup.layout.data_bytes, PROT_READ, MAP_SHARED, fd,
		    (off_t)setup.layout.data_offset);
	if (data == MAP_FAILED)
		die("mmap of the slots: %s", strerror(errno));
	return data;
}

/* Return: the next seq; ends the program when something is wrong. */
static uint64_t take_slice(int fd, const char *data, uint64_t next_seq)
{
	struct lidar_ring_get_frame get = {.timeout_ns = HANGS_S * (int64_t)NSEC_PER_SEC};
	struct lidar_ring_release_frame release = {};

	if (ioctl(fd, LIDAR_RING_IOC_GET_FRAME, &get))
		die("GET_FRAME: %s", strerror(errno));
	if (get.desc.seq != next_seq + get.desc.lost_before)
		die("seq %llu after %" PRIu64 ", and %u lost", get.desc.seq, next_seq,
		    get.desc.lost_before);
	if (!sim_words_right(data + get.desc.offset, get.desc.bytes, get.desc.seq))
		die("slice %llu is not what the device wrote", get.desc.seq);
	release.offset = get.desc.offset;
	if (ioctl(fd, LIDAR_RING_IOC_RELEASE_FRAME, &release))
		die("RELEASE_FRAME: %s", strerror(errno));
	common->victims_lost += get.desc.lost_before;
	return get.desc.seq + 1;
}

static void start(int fd)
{
	struct lidar_ring_start arg = {.flags = LIDAR_RING_START_QUEUE_ALL};

	if (ioctl(fd, LIDAR_RING_IOC_START, &arg))
		die("START: %s", strerror(errno));
}

static uint64_t lost_in(const struct lidar_ring_stats *s)
{
	return s->lost_no_slot + s->lost_device + s->lost_error + s->lost_ready_full +
	       s->lost_stopped + s->lost_lease;
}

static void live_as_victim(const struct sim *sim)
{
	struct lidar_ring_stats before, after;
	int fd = sim_open(sim);
	char *data = set_up(fd);
	uint64_t next_seq = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ioctl(fd, LIDAR_RING_IOC_STATS, &before))
		die("STATS: %s", strerror(errno));
	start(fd);
	while (!common->victim_ends) {
		next_seq = take_slice(fd, data, next_seq);
		common->victims_slices++;
	}
	if (ioctl(fd, LIDAR_RING_IOC_STOP) || ioctl(fd, LIDAR_RING_IOC_STATS, &after))
		die("STOP, STATS: %s", strerror(errno));
	if (after.delivered - before.delivered < common->victims_slices ||
	    lost_in(&after) - lost_in(&before) < common->victims_lost ||
	    after.refused_state != before.refused_state || after.bad_index != before.bad_index)
		die("its counters do not tell what it saw");
	_exit(0);
}

/* In a process of its own, which may end. Return: whether it streams. */
static bool streams(const struct sim *sim, unsigned int slices)
{
	uint64_t next_seq = 0;
	int status = 1;
	char *data;
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		fd = sim_open(sim);
		data = set_up(fd);
		start(fd);
		while (slices--)
			next_seq = take_slice(fd, data, next_seq);
		if (ioctl(fd, LIDAR_RING_IOC_STOP))
			die("STOP: %s", strerror(errno));
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* ---- the actors ---- */

static void *live_as_actor(void *argument)
{
	struct actor_place *place = argument;

	actor_run(&common->stage, place);
	return NULL;
}

static void live_as_crew(unsigned int number, uint64_t seed)
{
	pthread_t threads[THREADS];
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	actor_init();
	for (i = 0; i < THREADS; i++) {
		common->places[number][i].seed = splitmix64_next(&seed);
		if (pthread_create(&threads[i], NULL, live_as_actor, &common->places[number][i]))
			die("pthread_create");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void send_crew(struct crew *crew, unsigned int number, uint64_t seed)
{
	unsigned int i;

	fflush(NULL);
	crew->pid = fork();
	if (crew->pid < 0)
		die("fork: %s", strerror(errno));
	if (crew->pid == 0)
		live_as_crew(number, seed);
	for (i = 0; i < THREADS; i++)
		crew->moved_ns[i] = clock_now_ns();
}

static void show_stack(pid_t pid)
{
	char command[128];

	fflush(stdout);
	snprintf(command, sizeof(command),
		 "for t in /proc/%d/task/*; do sed -n '/^State/p' $t/status; cat $t/stack; done",
		 (int)pid);
	if (system(command))
		puts("# no stack to be had");
}

/* Return: whether all its actors move. */
static bool moves(struct crew *crew, unsigned int number)
{
	uint64_t now_ns = clock_now_ns();
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		const struct actor_place *place = &common->places[number][i];

		if (place->steps != crew->steps[i])
			crew->moved_ns[i] = now_ns;
		crew->steps[i] = place->steps;
		if (now_ns - crew->moved_ns[i] > HANGS_S * NSEC_PER_SEC) {
			printf("# it hangs: %s\n", actor_action(place->action));
			show_stack(crew->pid);
			return false;
		}
	}
	return true;
}

/* Return: whether it is no more, killed or not, after a while. */
static bool ends(const struct crew *crew)
{
	uint64_t end_ns = clock_now_ns() + HANGS_S * NSEC_PER_SEC;

	while (clock_now_ns() < end_ns) {
		if (waitpid(crew->pid, NULL, WNOHANG) == crew->pid)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	printf("# it does not end within %u s\n", HANGS_S);
	show_stack(crew->pid);
	return false;
}

/* Return: false if one hangs. */
static bool let_act(struct crew *crews, unsigned int seconds, uint64_t *seed, unsigned int *kills)
{
	uint64_t end_ns = clock_now_ns() + seconds * NSEC_PER_SEC;
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		send_crew(&crews[i], i, splitmix64_next(seed));
	while (clock_now_ns() < end_ns) {
		nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
		for (i = 0; i < PROCESSES; i++) {
			bool dead = waitpid(crews[i].pid, NULL, WNOHANG) == crews[i].pid;

			if (!dead && !moves(&crews[i], i))
				return false;
			if (!dead && splitmix64_next(seed) % 8)
				continue;
			if (!dead && (kill(crews[i].pid, SIGKILL) || !ends(&crews[i])))
				return false;
			++*kills;
			send_crew(&crews[i], i, splitmix64_next(seed));
		}
	}
	common->stage.over = true;
	for (i = 0; i < PROCESSES; i++)
		if (!ends(&crews[i]))
			return false;
	return true;
}

/* What of it worked: if nothing does, nothing is tried. */
static void show_actions(void)
{
	uint64_t made, worked;
	const char *name;
	unsigned int k, i;

	for (k = 0; (name = actor_action(k)); k++) {
		made = worked = 0;
		for (i = 0; i < PROCESSES * THREADS; i++) {
			made += common->places[i / THREADS][i % THREADS].made[k];
			worked += common->places[i / THREADS][i % THREADS].worked[k];
		}
		printf("#   %s %" PRIu64 ", worked %" PRIu64 "\n", name, made, worked);
	}
}

static uint64_t steps(void)
{
	uint64_t sum = 0;
	unsigned int i, j;

	for (i = 0; i < PROCESSES; i++)
		for (j = 0; j < THREADS; j++)
			sum += common->places[i][j].steps;
	return sum;
}

/* ---- all of it ---- */

static bool idle_soon(const struct sim *sim)
{
	uint64_t end_ns = clock_now_ns() + HANGS_S * NSEC_PER_SEC;
	int fd = open(sim->path, O_RDWR | O_CLOEXEC), state = -ENODEV;

	while (fd >= 0 && clock_now_ns() < end_ns) {
		state = sim_state(fd);
		if (state == LIDAR_RING_IDLE)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	if (fd >= 0)
		close(fd);
	return state == LIDAR_RING_IDLE;
}

static void look_after(struct sim *sim, bool fed)
{
	/* unplugged or without a driver: no wonder */
	bool was_there = !sim_find(sim);

	if (was_there)
		result(idle_soon(sim), "%s is nobody's when all have ended", sim->name);
	result(!sim_set(sim, "live", "0") && !sim_set(sim, "fail", "0") &&
		       !sim_set(sim, "drop", "0") && !sim_set(sim, "short", "0") &&
		       !sim_set(sim, "corrupt", "0") && !sim_set(sim, "late_irq_us", "0") &&
		       !sim_set(sim, "rate_bytes_per_s", "4000000") &&
		       !sim_set(sim, "slice_bytes", "16384") && !sim_set(sim, "live", "1") &&
		       !sim_find(sim),
	       "%s can be unplugged and plugged in", sim->name);
	if (!fed)
		result(streams(sim, 50), "%s streams", sim->name);
}

static void trace(const char *on)
{
	int fd = open("/sys/kernel/tracing/events/lidar/enable", O_WRONLY | O_CLOEXEC);

	/* for what is said there must be put together, too */
	if (fd >= 0) {
		(void)!write(fd, on, strlen(on));
		close(fd);
	}
}

static void make_stage(struct sim *victim, struct sim sims[static ACTOR_SIMS])
{
	static const char *const settings[] = {"rate_bytes_per_s=2000000", "slice_bytes=16384",
					       "crc=0", NULL};
	static const char *const fed[] = {"source=feed", "rate_bytes_per_s=0", "slice_bytes=65536",
					  NULL};
	unsigned int i;

	sim_make(victim, "victim", settings);
	if (strcmp(victim->path, "/dev/lidar0"))
		die("the victim is %s: is there another device?", victim->path);
	for (i = 0; i < ACTOR_SIMS; i++) {
		snprintf(common->stage.sims[i], sizeof(common->stage.sims[i]), "random%u", i);
		sim_make(&sims[i], common->stage.sims[i], i ? settings : fed);
	}
	common->stage.devices = 1 + ACTOR_SIMS;
	common->stage.feed = common->stage.sims[0];
	common->stage.failing = failing_init();
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, common->stage.mailbox))
		die("socketpair: %s", strerror(errno));
	trace("1");
}

static void parse(int argc, char **argv, unsigned int *seconds, uint64_t *seed)
{
	const char *campaign = getenv("LIDARD_DEBUG_SECONDS");
	int i;

	*seconds = campaign && *campaign ? (unsigned int)strtoul(campaign, NULL, 10) : SECONDS;
	if (getrandom(seed, sizeof(*seed), 0) < 0)
		die("getrandom: %s", strerror(errno));
	*seed >>= 32;
	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seconds"))
			*seconds = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--seed"))
			*seed = strtoull(argv[i + 1], NULL, 0);
		else
			break;
	}
	if (i < argc)
		die("usage: test_random [--seconds N] [--seed S]");
}

int main(int argc, char **argv)
{
	struct crew crews[PROCESSES] = {};
	struct sim victim, sims[ACTOR_SIMS];
	unsigned int seconds, i, kills = 0;
	uint64_t seed;
	int status = -1;
	pid_t pid;

	parse(argc, argv, &seconds, &seed);
	common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (common == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	make_stage(&victim, sims);
	printf("# --seconds %u --seed %" PRIu64 "%s\n", seconds, seed,
	       common->stage.failing ? ", with allocations that fail" : "");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		live_as_victim(&victim);
	if (!let_act(crews, seconds, &seed, &kills)) {
		result(false, "somebody hangs");
		return 1;
	}
	result(true, "%" PRIu64 " steps, and nobody hangs", steps());
	show_actions();
	common->victim_ends = true;
	result(waitpid(pid, &status, 0) == pid && status == 0, "the victim saw nothing wrong");
	printf("# %" PRIu64 " slices of the victim's, %" PRIu64 " lost; %u processes killed\n",
	       common->victims_slices, common->victims_lost, kills);
	result(common->victims_slices > seconds, "and something");
	close(common->stage.mailbox[0]);
	close(common->stage.mailbox[1]);
	trace("0");
	for (i = 0; i < ACTOR_SIMS; i++)
		look_after(&sims[i], i == 0);
	result(idle_soon(&victim) && streams(&victim, 50), "the victim's device streams");
	for (i = 0; i < ACTOR_SIMS; i++)
		sim_remove(&sims[i]);
	sim_remove(&victim);
	printf("1..%u\n", results);
	return failures ? 1 : 0;
}
