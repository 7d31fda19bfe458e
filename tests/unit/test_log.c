/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FILE *captured;
static int real_stderr;

static void capture_stderr(void)
{
	unsetenv("JOURNAL_STREAM");
	captured = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(captured), STDERR_FILENO);
}

/** What was written to stderr so far; stderr is the real one again. */
static const char *stderr_text(void)
{
	static char text[2 * LOG_MESSAGE_MAX];
	size_t n;

	dup2(real_stderr, STDERR_FILENO);
	rewind(captured);
	n = fread(text, 1, sizeof(text) - 1, captured);
	text[n] = '\0';
	return text;
}

TestSuite(log, .init = capture_stderr);

Test(log, a_line_names_level_sensor_and_error)
{
	log_init();
	log_msg(LOG_WARNING, "front", -ENOENT, "cannot open %s, retrying in %d s", "/x", 1);
	cr_assert_str_eq(stderr_text(), "lidard: warning: front: cannot open /x, retrying in 1 s: "
					"No such file or directory\n");
}

Test(log, sensor_and_error_may_be_missing)
{
	log_msg(LOG_ERR, NULL, 0, "no");
	cr_assert_str_eq(stderr_text(), "lidard: error: no\n");
}

Test(log, what_is_less_urgent_than_the_level_is_left_out)
{
	log_msg(LOG_DEBUG, NULL, 0, "a");
	log_msg(LOG_INFO, NULL, 0, "b");
	log_set_level(LOG_WARNING);
	log_msg(LOG_INFO, NULL, 0, "c");
	log_set_level(LOG_DEBUG);
	log_msg(LOG_DEBUG, NULL, 0, "d");
	cr_assert_str_eq(stderr_text(), "lidard: info: b\nlidard: debug: d\n");
}

Test(log, a_message_stays_one_harmless_line)
{
	log_msg(LOG_INFO, NULL, 0, "%s", "a\nlidard: error: forged\033[2J");
	cr_assert_str_eq(stderr_text(), "lidard: info: a?lidard: error: forged?[2J\n");
}

Test(log, a_message_that_is_too_long_is_cut_and_still_a_line)
{
	char *message = malloc(10000);
	const char *text;

	memset(message, 'x', 9999);
	message[9999] = '\0';
	log_msg(LOG_INFO, "front", -EIO, "%s", message);
	text = stderr_text();
	cr_assert(strlen(text) >= LOG_MESSAGE_MAX - 1);
	cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
	free(message);
}

Test(log, a_redirected_stderr_is_not_taken_for_the_journal)
{
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init();
	log_msg(LOG_INFO, NULL, 0, "seen");
	cr_assert_str_eq(stderr_text(), "lidard: info: seen\n");
}

Test(log, without_a_journal_to_be_reached_a_message_is_not_lost)
{
	char stream[64];
	struct stat st;

	if (access("/run/systemd/journal/socket", F_OK) == 0)
		cr_skip_test("there is a journal on this machine; it would get the message");
	cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init();
	log_msg(LOG_INFO, NULL, 0, "seen");
	cr_assert_str_eq(stderr_text(), "lidard: info: seen\n");
}

Test(log, a_burst_passes_and_the_rest_is_counted)
{
	struct log_limit limit = { 0 };
	uint64_t suppressed = 99;
	unsigned int i;

	for (i = 0; i < LOG_LIMIT_BURST; i++) {
		cr_assert_eq(log_limit_pass(&limit, 1000 + i, &suppressed), 1);
		cr_assert_eq(suppressed, 0);
	}
	for (i = 0; i < 7; i++)
		cr_assert_eq(log_limit_pass(&limit, 2000 + i, &suppressed), 0);
	cr_assert_eq(log_limit_pass(&limit, 1000 + LOG_LIMIT_WINDOW_NS - 1, &suppressed), 0);
	cr_assert_eq(log_limit_pass(&limit, 1000 + LOG_LIMIT_WINDOW_NS, &suppressed), 1);
	cr_assert_eq(suppressed, 8);
	cr_assert_eq(log_limit_pass(&limit, 1001 + LOG_LIMIT_WINDOW_NS, &suppressed), 1);
	cr_assert_eq(suppressed, 0);
}

Test(log, the_next_message_says_how_many_were_held_back)
{
	struct log_limit limit = { 0 };
	unsigned int i;

	for (i = 0; i < LOG_LIMIT_BURST + 3; i++)
		log_msg_limited(&limit, LOG_INFO, "front", 0, "again");
	cr_assert_eq(limit.suppressed, 3);
	/* as if the window were over */
	limit.window_start_ns -= LOG_LIMIT_WINDOW_NS;
	log_msg_limited(&limit, LOG_INFO, "front", 0, "last");
	cr_assert(strstr(stderr_text(),
			 "again\nlidard: info: front: 3 messages like the next one were held back\n"
			 "lidard: info: front: last\n"));
}

Test(log, what_the_level_leaves_out_does_not_use_up_the_limit)
{
	struct log_limit limit = { 0 };
	unsigned int i;

	for (i = 0; i < 2 * LOG_LIMIT_BURST; i++)
		log_msg_limited(&limit, LOG_DEBUG, NULL, 0, "quiet");
	cr_assert_eq(limit.count, 0);
	cr_assert_eq(limit.suppressed, 0);
	cr_assert_str_eq(stderr_text(), "");
}
