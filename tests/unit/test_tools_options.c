/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

struct sample {
	bool loud;
	const char *name;
	uint64_t count;
	uint64_t bytes;
	double rate;
};

static const struct option_row rows[] = {
	OPTION_ROW_FLAG(struct sample, loud, "loud", "say more"),
	OPTION_ROW_TEXT(struct sample, name, "name", "NAME", "nobody", "a name"),
	OPTION_ROW_COUNT(struct sample, count, "count", "N", "3", 1, 9, "how many"),
	OPTION_ROW_BYTES(struct sample, bytes, "bytes", "N", "1M", 0, 0, "how large"),
	OPTION_ROW_REAL(struct sample, rate, "rate", "R", NULL, 0, 0, "how fast"),
};
static const struct option_set set = { rows, sizeof(rows) / sizeof(rows[0]) };

static struct option_result result;

static int parse(struct sample *s, const char *a, const char *b, const char *c)
{
	static char words[3][64];
	static char *argv[3];
	const char *const given[] = { a, b, c };
	int argc = 0;

	memset(s, 0, sizeof(*s));
	while (argc < 3 && given[argc]) {
		snprintf(words[argc], sizeof(words[argc]), "%s", given[argc]);
		argv[argc] = words[argc];
		argc++;
	}
	return options_parse(&set, s, argc, argv, &result);
}

Test(options, defaults_come_from_the_table)
{
	struct sample s;

	cr_assert_eq(parse(&s, NULL, NULL, NULL), 0);
	cr_assert_not(s.loud);
	cr_assert_str_eq(s.name, "nobody");
	cr_assert_eq(s.count, 3);
	cr_assert_eq(s.bytes, 1 << 20);
	cr_assert_eq(s.rate, 0);
}

Test(options, a_value_may_follow_or_be_joined)
{
	struct sample s;

	cr_assert_eq(parse(&s, "--count", "7", "--rate=2.5"), 0);
	cr_assert_eq(s.count, 7);
	cr_assert_eq(s.rate, 2.5);
}

Test(options, arguments_may_stand_between_options)
{
	struct sample s;

	cr_assert_eq(parse(&s, "front", "--loud", "rear"), 0);
	cr_assert(s.loud);
	cr_assert_eq(result.argument_count, 2);
	cr_assert_str_eq(result.arguments[0], "front");
	cr_assert_str_eq(result.arguments[1], "rear");
}

Test(options, two_dashes_end_the_options)
{
	struct sample s;

	cr_assert_eq(parse(&s, "--", "--loud", NULL), 0);
	cr_assert_not(s.loud);
	cr_assert_eq(result.argument_count, 1);
	cr_assert_str_eq(result.arguments[0], "--loud");
}

Test(options, what_is_wrong_is_named)
{
	struct sample s;

	cr_assert_eq(parse(&s, "--frob", NULL, NULL), -EINVAL);
	cr_assert(strstr(result.problem, "--frob"));
	cr_assert_eq(parse(&s, "--count", NULL, NULL), -EINVAL);
	cr_assert(strstr(result.problem, "needs a value"));
	cr_assert_eq(parse(&s, "--count", "ten", NULL), -EINVAL);
	cr_assert(strstr(result.problem, "'ten' is not a number"));
	cr_assert_eq(parse(&s, "--count", "10", NULL), -EINVAL);
	cr_assert(strstr(result.problem, "not between 1 and 9"));
	cr_assert_eq(parse(&s, "--loud=1", NULL, NULL), -EINVAL);
	cr_assert(strstr(result.problem, "takes no value"));
	cr_assert_eq(parse(&s, "-x", NULL, NULL), -EINVAL);
}

Test(options, numbers_have_no_sign_and_no_rest)
{
	struct sample s;

	cr_assert_eq(parse(&s, "--bytes", "-1", NULL), -EINVAL);
	cr_assert_eq(parse(&s, "--bytes", " 1", NULL), -EINVAL);
	cr_assert_eq(parse(&s, "--bytes", "1Q", NULL), -EINVAL);
	cr_assert_eq(parse(&s, "--rate", "nan", NULL), -EINVAL);
	cr_assert_eq(parse(&s, "--rate", "1x", NULL), -EINVAL);
}

Test(options, bytes_have_units)
{
	uint64_t value;

	cr_assert_eq(options_parse_bytes("4096", &value), 0);
	cr_assert_eq(value, 4096);
	cr_assert_eq(options_parse_bytes("64K", &value), 0);
	cr_assert_eq(value, 65536);
	cr_assert_eq(options_parse_bytes("2GiB", &value), 0);
	cr_assert_eq(value, 2ull << 30);
	cr_assert_eq(options_parse_bytes("18446744073709551615", &value), 0);
	cr_assert_eq(value, UINT64_MAX);
	cr_assert_eq(options_parse_bytes("18446744073709551615K", &value), -ERANGE);
	cr_assert_eq(options_parse_bytes("99999999999999999999", &value), -ERANGE);
}
