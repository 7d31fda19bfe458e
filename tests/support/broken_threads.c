/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken_threads.c - what ThreadSanitizer must find
 *
 * As broken.c, but without Criterion, whose memory for its workers lies where
 * ThreadSanitizer's has to: most of the time such a program does not even start.
 */
#include <pthread.h>
#include <string.h>

static int shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int locks;

static void *count(void *arg)
{
	int i;

	for (i = 0; i < 1000; i++) {
		if (locks)
			pthread_mutex_lock(&lock);
		shared++;
		if (locks)
			pthread_mutex_unlock(&lock);
	}
	return NULL;
}

/* --filter broken/NAME: "race", or "nothing" */
int main(int argc, char **argv)
{
	pthread_t threads[2];
	int i;

	locks = argc == 3 && strcmp(argv[2], "broken/race") != 0;
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
