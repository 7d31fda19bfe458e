/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken.c - what the checkers must find
 *
 * Each test but the first has one fault, of which Criterion by itself knows
 * nothing.  checkers_can_fail.sh runs them.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

static char *volatile kept;
static volatile int number = 5;

Test(broken, nothing)
{
}

Test(broken, leak)
{
	kept = malloc(100);
	cr_assert_not_null(kept);
	kept = NULL;
}

Test(broken, use_after_free)
{
	char *volatile gone = malloc(100);

	free(gone);
	kept = NULL;
	number = gone[7];
}

Test(broken, undefined)
{
	number = 0x7fffffff;
	number = number + 1;
}
