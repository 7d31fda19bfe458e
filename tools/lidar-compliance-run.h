/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-run.h - a check in a process of its own, and what became of it */
#ifndef TOOLS_LIDAR_COMPLIANCE_RUN_H
#define TOOLS_LIDAR_COMPLIANCE_RUN_H

#include "tools/lidar-compliance.h"

enum verdict {
	VERDICT_OK,
	VERDICT_FAILED,
	VERDICT_SKIPPED,
	/** The device is in a state in which no further check means anything. */
	VERDICT_BROKEN,
};

#define OUTCOME_LINES_MAX 16
#define OUTCOME_TEXT_MAX 512

/** What became of a check, and its words in their order. */
struct outcome {
	enum verdict verdict;
	/** why it was skipped */
	char reason[OUTCOME_TEXT_MAX];
	char lines[OUTCOME_LINES_MAX][OUTCOME_TEXT_MAX];
	unsigned int line_count;
	uint64_t took_ns;
};

struct kernel_log;

/**
 * check_run() - run a check in a child and see that nothing of it is left
 * @entry: the check
 * @trial: its report_fd is set here
 * @log: lent; what the kernel complains of meanwhile fails the check; may be NULL
 * @ret_outcome: what became of it
 */
void check_run(const struct check_entry *entry, const struct trial *trial, struct kernel_log *log,
	       struct outcome *ret_outcome);

#endif /* TOOLS_LIDAR_COMPLIANCE_RUN_H */
