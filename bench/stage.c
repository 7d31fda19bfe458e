/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - see stage.h */
#include "bench/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define PAGE_FILE BENCH_DIR "/page"
#define LOG_FILE BENCH_DIR "/log"
#define CONFIG_FILE BENCH_DIR "/lidard.conf"
#define ROUDI_FILE BENCH_DIR "/roudi.toml"
#define LOOK_NS (2 * NSEC_PER_MSEC)
#define PATIENCE_NS (60 * NSEC_PER_SEC)
/* A turn begins with so many slices that do not count. */
#define WARM_UP_SLICES 20u
#define LOANS 4u

static void show_log(void)
{
	CLEANUP(cleanup_file) FILE *f = fopen(LOG_FILE, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		fputs(line, stderr);
}

/* The children end with this process. */
static _Noreturn void __attribute__((format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	show_log();
	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static void nap(void)
{
	struct timespec pause = clock_to_timespec(LOOK_NS);

	nanosleep(&pause, NULL);
}

/* ---- Children ---------------------------------------------------------------- */

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Return: 0 in the child, which writes to the log and ends with its parent; else its pid. */
static pid_t start_child(int cpu)
{
	pid_t parent = getpid(), pid;
	int fd;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("cannot fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	fd = open(LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	pin(cpu);
	return 0;
}

static void check_alive(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		die("%s ended with wait status 0x%x", what, status);
}

static void check_all_alive(const struct stage *s)
{
	unsigned int c, i;

	check_alive(s->roudi, "RouDi");
	check_alive(s->publishers[CONTENDER_LIDARD], "bench-lidard");
	check_alive(s->publishers[CONTENDER_ICEORYX], "the iceoryx publisher");
	for (c = 0; c < CONTENDER_COUNT; c++)
		for (i = 0; i < s->reader_count; i++)
			check_alive(s->readers[c][i], "a reader");
}

static pid_t start_lidard(const struct stage *s, int cpu, const char *option, const char *output)
{
	char path[320];
	pid_t pid = start_child(cpu);

	if (pid > 0)
		return pid;
	snprintf(path, sizeof(path), "%s/bench-lidard", s->program_dir);
	if (output && dup2(open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDOUT_FILENO) < 0)
		_exit(1);
	execl(path, "bench-lidard", "--config", CONFIG_FILE, option, NULL);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

static void run_lidard(const struct stage *s, const char *option, const char *output)
{
	pid_t pid = start_lidard(s, -1, option, output);
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("bench-lidard %s failed", option);
}

static pid_t start_roudi(void)
{
	pid_t pid = start_child(-1);

	if (pid > 0)
		return pid;
	execlp("iox-roudi", "iox-roudi", "-m", "off", "-c", ROUDI_FILE, NULL);
	fprintf(stderr, "iox-roudi: %s\n", strerror(errno));
	_exit(127);
}

/* ---- Building up ------------------------------------------------------------- */

static struct bench_page *make_page(uint32_t hz)
{
	CLEANUP(cleanup_fd) int fd = open(PAGE_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct bench_page *page = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(*page)) == 0)
		page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		die("cannot map " PAGE_FILE ": %s", strerror(errno));
	/* not a page fault in somebody's turn */
	memset(page, 0, sizeof(*page));
	page->hz = hz;
	setenv(BENCH_PAGE_ENV, PAGE_FILE, 1);
	return page;
}

static void write_config(const struct stage_plan *plan)
{
	/* one contender's readers at a time, and what both publishers keep at hand */
	unsigned int slices = plan->readers_max * (plan->queue + plan->held) + LOANS;
	CLEANUP(cleanup_file) FILE *f = fopen(CONFIG_FILE, "we");
	unsigned int i;

	if (!f)
		die("cannot write " CONFIG_FILE ": %s", strerror(errno));
	fprintf(f, "[lidard]\nsocket = " BENCH_SOCKET "\nstate_dir = " BENCH_DIR "/state\n"
		   "[roudi]\nwriter_group =\nreader_group =\n");
	for (i = 0; i < plan->sensor_count; i++)
		fprintf(f, "[sensor s%u]\nslice_bytes = %" PRIu64 "\nloans = %u\n"
			   "subscriber_slices = %u\nqueue = %u\nheld = %u\n", i,
			plan->slice_bytes[i], LOANS, slices, plan->queue, plan->held);
}

static void find_programs(struct stage *s)
{
	ssize_t n = readlink("/proc/self/exe", s->program_dir, sizeof(s->program_dir) - 1);
	char *slash;

	s->program_dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(s->program_dir, '/');
	if (!slash)
		die("cannot tell where this program is");
	*slash = '\0';
}

static void choose_cpus(struct stage *s)
{
	cpu_set_t set;
	int cpu, found = 0;

	s->publisher_cpu = -1;
	s->reader_cpu = -1;
	if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) < 2)
		return;
	for (cpu = 0; found < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			*(found++ == 0 ? &s->publisher_cpu : &s->reader_cpu) = cpu;
}

static void start_publishers(struct stage *s)
{
	struct publishing publishing = {
		.page = s->page,
		.slice_bytes = s->plan.slice_bytes,
		.sensor_count = s->plan.sensor_count,
	};
	uint64_t deadline_ns = clock_now_ns() + PATIENCE_NS;
	pid_t pid;

	s->publishers[CONTENDER_LIDARD] = start_lidard(s, s->publisher_cpu, NULL, NULL);
	pid = start_child(s->publisher_cpu);
	if (pid == 0)
		_exit(iceoryx_publish(&publishing));
	s->publishers[CONTENDER_ICEORYX] = pid;
	while (access(BENCH_SOCKET, F_OK) < 0) {
		check_all_alive(s);
		if (clock_now_ns() > deadline_ns)
			die("bench-lidard does not come up");
		nap();
	}
}

void stage_open(struct stage *s, const struct stage_plan *plan)
{
	*s = (struct stage){ .plan = *plan };
	if (!getenv("LIDARD_IN_SANDBOX"))
		die("to be run by tests/in-sandbox: it starts a RouDi of its own");
	find_programs(s);
	choose_cpus(s);
	if (mkdir(BENCH_DIR, 0700) < 0)
		die("cannot make " BENCH_DIR ": %s", strerror(errno));
	s->page = make_page(plan->hz);
	write_config(plan);
	run_lidard(s, "--print-roudi-config", ROUDI_FILE);
	s->roudi = start_roudi();
	run_lidard(s, "--wait-roudi=60", NULL);
	start_publishers(s);
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void stage_close(struct stage *s)
{
	stage_end_readers(s);
	end_child(s->publishers[CONTENDER_LIDARD]);
	end_child(s->publishers[CONTENDER_ICEORYX]);
	end_child(s->roudi);
}

/* ---- Readers ----------------------------------------------------------------- */

static pid_t start_reader(const struct stage *s, enum contender contender, unsigned int index,
			  enum way way)
{
	struct reading reading = {
		.page = s->page,
		.me = &s->page->readers[contender][index],
		.turn = TURN(contender, s->sensor),
		.records = index == 0,
		.way = way,
		.sensor = s->sensor,
		.queue = s->plan.queue,
		.held = s->plan.held,
	};
	pid_t pid = start_child(s->reader_cpu);

	if (pid > 0)
		return pid;
	/* exit(), not _exit(): iceoryx takes leave of RouDi there */
	exit(contender == CONTENDER_LIDARD ? lidard_read(&reading) : iceoryx_read(&reading));
}

void stage_add_readers(struct stage *s, unsigned int sensor, enum way way, unsigned int count)
{
	uint64_t deadline_ns = clock_now_ns() + PATIENCE_NS;
	unsigned int c, i, first = s->reader_count;

	s->sensor = sensor;
	for (i = first; i < count; i++)
		for (c = 0; c < CONTENDER_COUNT; c++) {
			memset(&s->page->readers[c][i], 0, sizeof(s->page->readers[c][i]));
			s->readers[c][i] = start_reader(s, c, i, way);
		}
	s->reader_count = count;
	for (i = first; i < count; i++)
		for (c = 0; c < CONTENDER_COUNT; c++)
			while (!PAGE_GET(s->page->readers[c][i].connected)) {
				check_all_alive(s);
				if (clock_now_ns() > deadline_ns)
					die("a reader does not connect");
				nap();
			}
}

void stage_end_readers(struct stage *s)
{
	unsigned int c, i;

	PAGE_SET(s->page->ended, 1);
	for (i = 0; i < s->reader_count; i++)
		for (c = 0; c < CONTENDER_COUNT; c++)
			waitpid(s->readers[c][i], NULL, 0);
	PAGE_SET(s->page->ended, 0);
	s->reader_count = 0;
}

/* ---- Turns ------------------------------------------------------------------- */

static uint64_t cpu_of(pid_t pid)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) == 0 ? clock_read_ns(clock) : 0;
}

static uint64_t cpu_of_readers(const struct stage *s, enum contender contender)
{
	uint64_t ns = 0;
	unsigned int i;

	for (i = 0; i < s->reader_count; i++)
		ns += cpu_of(s->readers[contender][i]);
	return ns;
}

static void warm_up(struct stage *s, enum contender contender)
{
	uint64_t deadline_ns = clock_now_ns() + PATIENCE_NS;
	uint64_t taken[BENCH_READERS_MAX];
	unsigned int i;

	for (i = 0; i < s->reader_count; i++)
		taken[i] = PAGE_GET(s->page->readers[contender][i].taken);
	PAGE_SET(s->page->turn, TURN(contender, s->sensor));
	for (i = 0; i < s->reader_count; i++)
		while (PAGE_GET(s->page->readers[contender][i].taken) < taken[i] + WARM_UP_SLICES) {
			check_all_alive(s);
			if (clock_now_ns() > deadline_ns)
				die("reader %u of %s gets no slices", i,
				    contender == CONTENDER_LIDARD ? "lidard" : "iceoryx");
			nap();
		}
}

void stage_play(struct stage *s, enum contender contender, uint64_t duration_ns,
		struct stage_turn *ret_turn)
{
	struct timespec duration = clock_to_timespec(duration_ns);
	struct bench_page *page = s->page;
	struct stage_turn t;

	page->sample_count = 0;
	warm_up(s, contender);
	t.slices = PAGE_GET(page->published[contender].slices);
	t.publisher_cpu_ns = cpu_of(s->publishers[contender]);
	t.reader_cpu_ns = cpu_of_readers(s, contender);
	PAGE_SET(page->recording, 1);
	nanosleep(&duration, NULL);
	PAGE_SET(page->recording, 0);
	t.slices = PAGE_GET(page->published[contender].slices) - t.slices;
	t.publisher_cpu_ns = cpu_of(s->publishers[contender]) - t.publisher_cpu_ns;
	t.reader_cpu_ns = cpu_of_readers(s, contender) - t.reader_cpu_ns;
	PAGE_SET(page->turn, TURN_NONE);
	/* the publisher sees that at its next tick, the readers sleep again soon after */
	nap();
	nap();
	t.samples_ns = page->samples;
	/* pairs with page_note() */
	t.sample_count = __atomic_load_n(&page->sample_count, __ATOMIC_ACQUIRE);
	check_all_alive(s);
	if (t.slices == 0 || t.sample_count == 0)
		die("nothing was published in %.0f ms", (double)duration_ns / 1e6);
	*ret_turn = t;
}
