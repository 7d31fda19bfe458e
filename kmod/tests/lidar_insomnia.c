// SPDX-License-Identifier: GPL-2.0
/*
 * lidar_insomnia.c - all PCI devices stay awake when the machine sleeps, but those named
 *
 * A guest on its host's files could not wake up again: the driver of virtio's 9p
 * transport restores nothing.  While this is loaded, only the devices in the
 * parameter "asleep" are suspended, and what is not on the PCI bus.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/string.h>

static char *asleep = "";
module_param(asleep, charp, 0444);
MODULE_PARM_DESC(asleep, "PCI devices that are to sleep: 0000:00:05.0,0000:00:06.0");

static void keep_awake(bool on)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
		if (!strstr(asleep, pci_name(pdev)))
			dev_pm_syscore_device(&pdev->dev, on);
}

static int __init insomnia_init(void)
{
	keep_awake(true);
	return 0;
}

static void __exit insomnia_exit(void)
{
	keep_awake(false);
}

module_init(insomnia_init);
module_exit(insomnia_exit);
MODULE_DESCRIPTION("keeps PCI devices awake, for tests");
MODULE_LICENSE("GPL");
