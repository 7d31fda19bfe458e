/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled as C99 and as C++11, pedantically, with every warning an error. */
#include "lidard/lidard.h"
#include "lidard/control.h"
#include "lidard/probes.h"

int use(struct lidard_client *client);

int use(struct lidard_client *client)
{
	struct lidard_subscribe_opts opts = { sizeof(opts), 0, 0, LIDARD_POLICY_LATEST,
					      LIDARD_WAIT_BLOCK, 0 };
	struct lidard_subscription *sub;

	return lidard_subscribe(client, "front", &opts, &sub);
}
