/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance.c - does a driver do what include/uapi/lidar_ring.h says?
 *
 * For /dev/lidarN what v4l2-compliance is for /dev/videoN: every call, every
 * input that must be refused, every state, and whatever a hostile or dying user
 * may do, on a real device.  Prints TAP.
 */
#include "tools/lidar-compliance.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tools/lidar-compliance-log.h"
#include "tools/lidar-compliance-run.h"
#include "tools/options.h"

#define DEVICE_DEFAULT "/dev/lidar0"

enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static const struct option_row option_rows[] = {
	OPTION_ROW_FLAG(struct compliance_options, list, "list", "name the checks, run none"),
	OPTION_ROW_TEXT(struct compliance_options, only, "only", "PATTERN", NULL,
			"those checks, as in 'map.*'"),
	OPTION_ROW_FLAG(struct compliance_options, slow, "slow", "those that take long, too"),
	OPTION_ROW_FLAG(struct compliance_options, verbose, "verbose",
			"notes and times of passed checks"),
	OPTION_ROW_TEXT(struct compliance_options, unbind, "unbind", "DRIVER/DEVICE", NULL,
			"in sysfs: checks may unbind and bind it"),
	OPTION_ROW_TEXT(struct compliance_options, sim, "sim", "FOLDER", NULL,
			"of a lidar_sim in configfs: checks may inject faults"),
	OPTION_ROW_BYTES(struct compliance_options, slot_bytes, "slot-bytes", "N", "64K",
			 LIDAR_RING_SLOT_ALIGN, LIDAR_RING_SLOT_BYTES_MAX, "size of slots"),
	OPTION_ROW_COUNT(struct compliance_options, slot_count, "slots", "N", "8", 4,
			 LIDAR_RING_SLOTS_MAX, "how many slots"),
	OPTION_ROW_COUNT(struct compliance_options, timeout_s, "timeout", "SECONDS", "30", 1, 3600,
			 "a check that takes longer has failed"),
	OPTION_ROW_FLAG(struct compliance_options, help, "help", "this text"),
};

static const struct option_set option_set = { option_rows, COUNT_OF(option_rows) };

static const struct {
	void (*add)(struct check_list *list);
	const char *name;
	const char *what;
} groups[] = {
	{ add_info_checks, "info", "what the device says of itself, the layout, the counters" },
	{ add_call_checks, "call", "unknown calls, pointers to nowhere" },
	{ add_reject_checks, "reject", "each input that must be refused, one by one" },
	{ add_state_checks, "state", "each call in each state" },
	{ add_map_checks, "map", "what may be mapped, how, and for how long" },
	{ add_stream_checks, "stream", "order, numbers, losses, contents, wrapping rings" },
	{ add_slot_checks, "slot", "who owns a slot, and that nobody else writes it" },
	{ add_wake_checks, "wake", "poll, NEED_WAKEUP, KICK, the lease" },
	{ add_hostile_checks, "hostile", "a control page full of lies" },
	{ add_plain_checks, "plain", "GET_FRAME, RELEASE_FRAME, read()" },
	{ add_user_checks, "user", "memory of the caller" },
	{ add_owner_checks, "owner", "other files, other processes, sudden ends" },
	{ add_export_checks, "export", "files and dma-bufs for other processes" },
	{ add_adopt_checks, "adopt", "rings that outlive their owner" },
	{ add_unbind_checks, "unbind", "the device vanishes (--unbind)" },
	{ add_sim_checks, "sim", "the device misbehaves (--sim)" },
};

static const struct {
	unsigned int need;
	uint64_t feature;
	const char *what;
} features[] = {
	{ NEEDS_KERNEL_MEMORY, LIDAR_RING_FEATURE_KERNEL_MEMORY, "KERNEL memory" },
	{ NEEDS_USER_MEMORY, LIDAR_RING_FEATURE_USER_MEMORY, "USER memory" },
	{ NEEDS_DMABUF, LIDAR_RING_FEATURE_DMABUF, "dma-bufs" },
	{ NEEDS_FRAMES, LIDAR_RING_FEATURE_FRAMES, "frame numbers" },
	{ NEEDS_FIRST_NS, LIDAR_RING_FEATURE_FIRST_NS, "the first byte's time" },
	{ NEEDS_DEVICE_SEQ, LIDAR_RING_FEATURE_DEVICE_SEQ, "numbers of its own" },
};

void check_list_add(struct check_list *list, const char *group, const struct check *check)
{
	struct check_entry *entry = &list->entries[list->count];

	if (list->count == COMPLIANCE_CHECKS_MAX)
		return;
	snprintf(entry->name, sizeof(entry->name), "%s.%s", group, check->name);
	entry->check = *check;
	list->count++;
}

void check_list_add_table(struct check_list *list, const char *group, const struct check *checks,
			  size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		check_list_add(list, group, &checks[i]);
}

static void print_usage(FILE *out)
{
	size_t i;

	fputs("Usage: lidar-compliance [OPTIONS] [DEVICE]\n\n"
	      "Check that the driver of DEVICE (" DEVICE_DEFAULT
	      ") does what lidar_ring.h says.\n"
	      "Nobody else may stream from it meanwhile.\n\n", out);
	options_print(&option_set, out);
	fputs("\nGroups of checks:\n", out);
	for (i = 0; i < COUNT_OF(groups); i++)
		fprintf(out, "  %-8s %s\n", groups[i].name, groups[i].what);
	fputs("\nExit status: 0 no check failed; 1 one did, or none could run; 2 usage.\n", out);
}

/* Why a check cannot run here, or NULL. */
static const char *what_is_missing(const struct check *check, const struct trial *trial,
				   char *text, size_t bytes)
{
	const struct compliance_options *options = trial->options;
	size_t i;

	for (i = 0; i < COUNT_OF(features); i++) {
		if (!(check->needs & features[i].need) ||
		    (trial->info.features & features[i].feature))
			continue;
		snprintf(text, bytes, "the device does not know %s", features[i].what);
		return text;
	}
	if ((check->needs & NEEDS_ROOT) && geteuid() != 0)
		return "needs root";
	if ((check->needs & NEEDS_SLOW) && !options->slow)
		return "takes long: --slow";
	if ((check->needs & NEEDS_UNBIND) && !options->unbind)
		return "takes the device away: --unbind";
	if ((check->needs & NEEDS_SIM) && !options->sim)
		return "needs a simulated device: --sim";
	return NULL;
}

static void print_lines(const struct outcome *outcome)
{
	unsigned int i;

	for (i = 0; i < outcome->line_count; i++)
		printf("# %s\n", outcome->lines[i]);
}

static void print_outcome(size_t number, const struct check_entry *entry,
			  const struct outcome *outcome, bool verbose)
{
	bool failed = outcome->verdict == VERDICT_FAILED || outcome->verdict == VERDICT_BROKEN;

	printf("%sok %zu - %s%s%s\n", failed ? "not " : "", number, entry->name,
	       outcome->verdict == VERDICT_SKIPPED ? " # SKIP " : "",
	       outcome->verdict == VERDICT_SKIPPED ? outcome->reason : "");
	if (failed || verbose)
		print_lines(outcome);
	if (verbose && outcome->took_ns)
		printf("# took %llu ms\n", (unsigned long long)(outcome->took_ns / NSEC_PER_MSEC));
	fflush(stdout);
}

static void run_or_skip(const struct check_entry *entry, const struct trial *trial,
			struct kernel_log *log, struct outcome *ret_outcome)
{
	char text[OUTCOME_TEXT_MAX];
	const char *missing = what_is_missing(&entry->check, trial, text, sizeof(text));

	if (!missing) {
		check_run(entry, trial, log, ret_outcome);
		return;
	}
	memset(ret_outcome, 0, sizeof(*ret_outcome));
	ret_outcome->verdict = VERDICT_SKIPPED;
	snprintf(ret_outcome->reason, sizeof(ret_outcome->reason), "%s", missing);
}

static void print_summary(size_t total, const unsigned int *counts)
{
	printf("# %zu checks: %u passed, %u failed, %u skipped\n", total, counts[VERDICT_OK],
	       counts[VERDICT_FAILED] + counts[VERDICT_BROKEN], counts[VERDICT_SKIPPED]);
}

static int run_all(const struct check_list *list, const struct trial *trial)
{
	struct kernel_log *log = kernel_log_new();
	unsigned int counts[VERDICT_BROKEN + 1] = {};
	struct outcome outcome = {};
	size_t i;

	if (!log)
		puts("# the kernel's log cannot be read: what it complains of stays unseen");
	printf("1..%zu\n", list->count);
	fflush(stdout);
	for (i = 0; i < list->count && outcome.verdict != VERDICT_BROKEN; i++) {
		run_or_skip(&list->entries[i], trial, log, &outcome);
		print_outcome(i + 1, &list->entries[i], &outcome, trial->options->verbose);
		counts[outcome.verdict]++;
	}
	kernel_log_free(log);
	if (outcome.verdict == VERDICT_BROKEN)
		printf("Bail out! after this no further check means anything\n");
	print_summary(list->count, counts);
	return counts[VERDICT_FAILED] || counts[VERDICT_BROKEN] ? EXIT_FAILED : EXIT_OK;
}

static void keep_matching(struct check_list *list, const char *pattern)
{
	size_t i, kept = 0;

	for (i = 0; i < list->count; i++)
		if (fnmatch(pattern, list->entries[i].name, FNM_EXTMATCH) == 0)
			list->entries[kept++] = list->entries[i];
	list->count = kept;
}

static void print_list(const struct check_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		puts(list->entries[i].name);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	value = value > high ? high : value;
	return value < low ? low : value;
}

/* Returns what is wrong with the device, or NULL. */
static const char *get_to_know(struct trial *trial)
{
	const struct compliance_options *options = trial->options;
	CLEANUP(cleanup_fd) int fd = open(options->device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return strerror(errno);
	if (ioctl(fd, LIDAR_RING_IOC_INFO, &trial->info) < 0)
		return errno == ENOTTY ? "not a device of this interface" : strerror(errno);
	if (trial->info.state != LIDAR_RING_IDLE)
		return "somebody streams from it";
	trial->slot_bytes = clamp(options->slot_bytes & ~(LIDAR_RING_SLOT_ALIGN - 1ull),
				  trial->info.slot_bytes_min, trial->info.slot_bytes_max);
	trial->slot_count = (uint32_t)clamp(options->slot_count, trial->info.slot_count_min,
					    trial->info.slot_count_max);
	return NULL;
}

static int check_device(const struct check_list *list, const struct compliance_options *options)
{
	struct trial trial = { .options = options };
	const char *problem = get_to_know(&trial);

	if (problem) {
		printf("Bail out! %s: %s\n", options->device, problem);
		return EXIT_FAILED;
	}
	printf("# %s: %.*s, %u slots of %llu bytes\n", options->device, LIDAR_RING_NAME_BYTES,
	       trial.info.name, trial.slot_count, (unsigned long long)trial.slot_bytes);
	return run_all(list, &trial);
}

static int parse(int argc, char **argv, struct compliance_options *ret_options)
{
	struct option_result result = {};

	if (options_parse(&option_set, ret_options, argc - 1, argv + 1, &result) < 0) {
		fprintf(stderr, "lidar-compliance: %s (see lidar-compliance --help)\n",
			result.problem);
		return -EINVAL;
	}
	if (result.argument_count > 1) {
		print_usage(stderr);
		return -EINVAL;
	}
	ret_options->device = result.argument_count ? result.arguments[0] : DEVICE_DEFAULT;
	return 0;
}

int main(int argc, char **argv)
{
	/* as large as all checks of all groups, so not on the stack */
	static struct check_list list;
	struct compliance_options options = {};
	size_t i;

	if (parse(argc, argv, &options) < 0)
		return EXIT_USAGE;
	if (options.help) {
		print_usage(stdout);
		return EXIT_OK;
	}
	for (i = 0; i < COUNT_OF(groups); i++)
		groups[i].add(&list);
	if (options.only)
		keep_matching(&list, options.only);
	if (options.list) {
		print_list(&list);
		return EXIT_OK;
	}
	if (list.count == 0) {
		fprintf(stderr, "lidar-compliance: no check is called '%s' (see --list)\n",
			options.only);
		return EXIT_USAGE;
	}
	return check_device(&list, &options);
}
