/* SPDX-License-Identifier: Apache-2.0 */
/* service.c - see service.h */
#include "bench/service.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define CONFIG_FILE BENCH_DIR "/lidard.conf"
#define ROUDI_FILE BENCH_DIR "/roudi.toml"

static void write_config(const struct service_plan *plan)
{
	CLEANUP(cleanup_file) FILE *f = fopen(CONFIG_FILE, "we");
	unsigned int i;

	if (!f)
		bench_die("cannot write " CONFIG_FILE ": %s", strerror(errno));
	fprintf(f, "[lidard]\nsocket = " BENCH_SOCKET "\nstate_dir = " BENCH_DIR "/state\n"
		   "[roudi]\nwriter_group =\nreader_group =\n");
	for (i = 0; i < plan->sensor_count; i++)
		fprintf(f, "[sensor s%u]\nslice_bytes = %" PRIu64 "\nloans = %u\n"
			   "subscriber_slices = %u\nqueue = %u\nheld = %u\n", i,
			plan->slice_bytes[i], plan->loans, plan->subscriber_slices, plan->queue,
			plan->held);
}

/* The program's path, in the folder of this one. */
static void find_program(const char *program, char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		bench_die("cannot tell where this program is");
	snprintf(slash + 1, size - (size_t)(slash + 1 - path), "%s", program);
}

static pid_t start_lidard(const struct service_plan *plan, int cpu, const char *option,
			  const char *output)
{
	char path[320];
	const char *command[] = { path, "--config", CONFIG_FILE, option, NULL };
	pid_t pid = child_start(cpu);

	if (pid > 0)
		return pid;
	find_program(plan->program, path, sizeof(path));
	if (output && dup2(open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDOUT_FILENO) < 0)
		_exit(1);
	child_exec(command);
}

static void run_lidard(const struct service_plan *plan, const char *option, const char *output)
{
	pid_t pid = start_lidard(plan, -1, option, output);
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		bench_die("%s %s failed", plan->program, option);
}

pid_t service_start_roudi(const struct service_plan *plan)
{
	static const char *const command[] = { "iox-roudi", "-m", "off", "-c", ROUDI_FILE, NULL };
	pid_t pid;

	write_config(plan);
	run_lidard(plan, "--print-roudi-config", ROUDI_FILE);
	pid = child_start(-1);
	if (pid == 0)
		child_exec(command);
	run_lidard(plan, "--wait-roudi=60", NULL);
	return pid;
}

pid_t service_start_lidard(const struct service_plan *plan, int cpu)
{
	return start_lidard(plan, cpu, NULL, NULL);
}

void service_wait(const struct service_plan *plan, pid_t lidard)
{
	uint64_t deadline_ns = clock_now_ns() + BENCH_PATIENCE_NS;

	while (access(BENCH_SOCKET, F_OK) < 0) {
		child_check(lidard, plan->program);
		if (clock_now_ns() > deadline_ns)
			bench_die("%s does not come up", plan->program);
		bench_nap();
	}
}
