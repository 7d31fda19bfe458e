/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - what lidard tells the administrator
 *
 * Only main and the supervisors of sensors and clients log, once for each
 * event; everything below returns errors and leaves a struct problem.  Loss is
 * never logged: it is counted (lidarctl status).
 *
 * A message says what failed, on what, and what happens next.  It goes to the
 * journal with fields of its own (LIDARD_SENSOR, ERRNO) if stderr is connected
 * to the journal, else to stderr as "lidard: warning: front: message: error".
 *
 * One thread: the daemon's loop.  Level and destination are the only state.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdint.h>
#include <syslog.h>

/** Longest message; what is longer is cut. */
#define LOG_MESSAGE_MAX 2048

/** log_init() - find out where messages go; until then they go to stderr */
void log_init(void);

/** log_set_level() - LOG_ERR .. LOG_DEBUG: what is less urgent is left out; LOG_INFO at first */
void log_set_level(int priority);

/**
 * log_msg() - say it
 * @priority: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG
 * @sensor: the sensor it is about, or NULL
 * @error: negative errno, put into words behind the message; 0 if there is none
 * @format: without a newline
 */
void log_msg(int priority, const char *sensor, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** Messages of one kind that may pass in a window of time; the rest is counted. */
#define LOG_LIMIT_BURST 5
#define LOG_LIMIT_WINDOW_NS (10ull * 1000 * 1000 * 1000)

/** One for each kind of message and each object it is about; zero to begin with. */
struct log_limit {
	/** CLOCK_MONOTONIC; 0: no message yet */
	uint64_t window_start_ns;
	/** Passed in this window. */
	unsigned int count;
	/** Held back since the last one that passed. */
	uint64_t suppressed;
};

/**
 * log_limit_pass() - may a message pass now?
 * @now_ns: CLOCK_MONOTONIC
 * @ret_suppressed: if it may: how many were held back before it
 *
 * Return: 1 or 0.
 */
int log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed);

/** log_msg_limited() - log_msg() for what may come often; says how many were held back */
void log_msg_limited(struct log_limit *limit, int priority, const char *sensor, int error,
		     const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif /* DAEMON_LOG_H */
