/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken.c - what the checkers must find
 *
 * Each test but the first has one fault, of which Criterion by itself knows
 * nothing.  checkers_can_fail.sh runs them.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

static char *volatile kept;
static volatile int number = 5;
static int shared;

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

static void *count(void *arg)
{
	int i;

	for (i = 0; i < 1000; i++)
		shared++;
	return NULL;
}

Test(broken, race)
{
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
