/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-log.h - what the kernel complains of from here on */
#ifndef TOOLS_LIDAR_COMPLIANCE_LOG_H
#define TOOLS_LIDAR_COMPLIANCE_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct kernel_log;

/** Return: the log from now on, or NULL where it cannot be read. */
struct kernel_log *kernel_log_new(void);
struct kernel_log *kernel_log_free(struct kernel_log *log);

/** Return: 1 and the next complaint's line; 0: there is none. */
int kernel_log_next_complaint(struct kernel_log *log, char *ret_text, size_t bytes);

#endif /* TOOLS_LIDAR_COMPLIANCE_LOG_H */
