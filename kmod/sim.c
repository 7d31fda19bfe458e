// SPDX-License-Identifier: GPL-2.0
/*
 * sim.c - lidar_sim: virtual LIDARs, made and broken through configfs
 *
 *	mkdir /sys/kernel/config/lidar_sim/NAME
 *	echo 1 > /sys/kernel/config/lidar_sim/NAME/live
 *	cat /sys/kernel/config/lidar_sim/NAME/device	# lidar0
 *
 * Attributes, to be set before live but for the rate:
 *	rate_bytes_per_s	0: as fast as there are slots, nothing is lost
 *	slice_bytes		a multiple of 32, at most 64 MiB
 *	slices_per_frame	1 to 65535
 *	pattern			none, words, full: see sim_device.c
 *	crc			0, 1: every slice has one
 *	format			points, packets: what INFO says
 *	source			pattern; feed: from /dev/lidar_sim_NAME
 * Faults, any time:
 *	drop, short, empty, corrupt, fail	so many next slices
 *	stall_ms		produce nothing for so long
 *	late_irq_us		every completion from now on
 *	busy			so many next transfers the DMA controller does not take
 *	stuck			so many next stops of the DMA controller
 *	no_synchronize		1: the controller plugged in next cannot wait for its end
 *	clock_step_ticks	add to the device's clock, of 10 MHz
 *	unplug			1: remove the device; live 0, then 1 plugs it in again
 * To read:
 *	live, device, produced, lost
 *
 * "modprobe lidar_sim instances=1" has sim0 ready and live; the other module
 * parameters are what settings begin with.
 */
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/kernfs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "sim.h"

#define INSTANCES_MAX 64

static unsigned int instances;
module_param(instances, uint, 0444);
MODULE_PARM_DESC(instances, "devices to make at once (0)");
static unsigned long rate_bytes_per_s = 100000000;
module_param(rate_bytes_per_s, ulong, 0644);
MODULE_PARM_DESC(rate_bytes_per_s, "of a new device (100000000); 0: as fast as there are slots");
static unsigned int slice_bytes = 1 << 20;
module_param(slice_bytes, uint, 0444);
MODULE_PARM_DESC(slice_bytes, "of a new device (1048576)");
static unsigned int slices_per_frame = 10;
module_param(slices_per_frame, uint, 0444);
MODULE_PARM_DESC(slices_per_frame, "of a new device (10)");
static char *pattern = "words";
module_param(pattern, charp, 0444);
MODULE_PARM_DESC(pattern, "of a new device: none, words (default), full");
static bool crc = true;
module_param(crc, bool, 0644);
MODULE_PARM_DESC(crc, "whether slices of a new device have a CRC (1)");

static const char *const pattern_names[] = { "none", "words", "full" };
static const char *const format_names[] = { "points", "packets" };
static const char *const source_names[] = { "pattern", "feed" };

static DEFINE_IDA(sim_ids);

static struct sim *sim_of(struct config_item *item)
{
	return container_of(to_config_group(item), struct sim, group);
}

static int controller_probe(struct platform_device *pdev)
{
	struct sim *sim = *(struct sim **)dev_get_platdata(&pdev->dev);
	struct task_struct *thread;
	int ret;

	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	ret = sim_dma_init(sim, &pdev->dev);
	if (ret)
		return ret;
	thread = kthread_run(sim_device_thread, sim, "lidar_sim/%d", sim->id);
	if (IS_ERR(thread)) {
		sim_dma_deinit(sim);
		return PTR_ERR(thread);
	}
	sim->thread = thread;
	platform_set_drvdata(pdev, sim);
	return 0;
}

static int controller_remove(struct platform_device *pdev)
{
	struct sim *sim = platform_get_drvdata(pdev);

	kthread_stop(sim->thread);
	sim->thread = NULL;
	sim_dma_deinit(sim);
	return 0;
}

static struct platform_driver controller_driver = {
	.driver = {
		.name = "lidar-sim-dma",
		/* its consumer would be left with a channel of nothing */
		.suppress_bind_attrs = true,
	},
	.probe = controller_probe,
	.remove = controller_remove,
};

static struct platform_device *plug_controller(struct sim *sim)
{
	const struct platform_device_info info = {
		.name = "lidar-sim-dma",
		.id = sim->id,
		.data = &sim,
		.size_data = sizeof(sim),
		.dma_mask = DMA_BIT_MASK(64),
	};
	struct platform_device *pdev = platform_device_register_full(&info);

	if (!IS_ERR(pdev) && !sim->thread) {
		platform_device_unregister(pdev);
		return ERR_PTR(-ENXIO);
	}
	return pdev;
}

/*
 * A kernel that has no memory for the links of a device's properties takes no reference of them
 * for the links, and drops it with the device nevertheless (software_node_notify()).
 */
static void hold_software_node(struct device *dev)
{
	struct kernfs_node *link = kernfs_find_and_get(dev->kobj.sd, "software_node");

	if (!link)
		fwnode_handle_get(dev_fwnode(dev));
	kernfs_put(link);
}

static struct platform_device *plug_consumer(struct sim *sim)
{
	const struct property_entry properties[] = {
		PROPERTY_ENTRY_STRING("lidard,model", "lidar_sim"),
		PROPERTY_ENTRY_STRING("lidard,serial", config_item_name(&sim->group.cg_item)),
		PROPERTY_ENTRY_STRING("lidard,format", format_names[sim->settings.format]),
		PROPERTY_ENTRY_U64("lidard,clock-hz", SIM_CLOCK_HZ),
		PROPERTY_ENTRY_BOOL("lidard,trailer"),
		{}
	};
	const struct platform_device_info info = {
		.name = "lidar-ring",
		.id = sim->id,
		.properties = properties,
	};
	struct platform_device *consumer = platform_device_register_full(&info);

	if (!IS_ERR(consumer))
		hold_software_node(&consumer->dev);
	return consumer;
}

/* Construct in order; consumer last, as it looks for the channel. */
static int plug(struct sim *sim)
{
	int ret;

	if (sim->settings.source == SIM_SOURCE_FEED) {
		sim->feed = sim_feed_new(config_item_name(&sim->group.cg_item),
					 sim->settings.slice_bytes, &sim->dma.wait);
		if (IS_ERR(sim->feed)) {
			ret = PTR_ERR(sim->feed);
			sim->feed = NULL;
			return ret;
		}
	}
	sim->produced = 0;
	sim->lost = 0;
	sim->controller = plug_controller(sim);
	if (IS_ERR(sim->controller)) {
		ret = PTR_ERR(sim->controller);
		goto free_feed;
	}
	sim->consumer = plug_consumer(sim);
	if (IS_ERR(sim->consumer)) {
		ret = PTR_ERR(sim->consumer);
		sim->consumer = NULL;
		goto unplug_controller;
	}
	return 0;

unplug_controller:
	platform_device_unregister(sim->controller);
free_feed:
	sim->controller = NULL;
	if (sim->feed)
		sim_feed_free(sim->feed);
	sim->feed = NULL;
	return ret;
}

static void unplug(struct sim *sim)
{
	if (!sim->controller)
		return;
	if (sim->consumer)
		platform_device_unregister(sim->consumer);
	sim->consumer = NULL;
	platform_device_unregister(sim->controller);
	sim->controller = NULL;
	if (sim->feed)
		sim_feed_free(sim->feed);
	sim->feed = NULL;
}

static int set_live(struct sim *sim, bool live)
{
	int ret = 0;

	mutex_lock(&sim->lock);
	if (!live)
		unplug(sim);
	else if (!sim->controller)
		ret = plug(sim);
	mutex_unlock(&sim->lock);
	return ret;
}

static ssize_t live_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%d\n", !!READ_ONCE(sim_of(item)->controller));
}

static ssize_t live_store(struct config_item *item, const char *text, size_t bytes)
{
	bool live;
	int ret = kstrtobool(text, &live) ?: set_live(sim_of(item), live);

	return ret ?: bytes;
}
CONFIGFS_ATTR(, live);

static ssize_t unplug_store(struct config_item *item, const char *text, size_t bytes)
{
	struct sim *sim = sim_of(item);
	bool on;
	int ret = kstrtobool(text, &on);

	if (ret || !on)
		return ret ?: -EINVAL;
	mutex_lock(&sim->lock);
	if (sim->consumer)
		platform_device_unregister(sim->consumer);
	else
		ret = -ENODEV;
	sim->consumer = NULL;
	mutex_unlock(&sim->lock);
	return ret ?: bytes;
}
CONFIGFS_ATTR_WO(, unplug);

static int is_lidar(struct device *dev, void *unused)
{
	return dev->class && !strcmp(dev->class->name, "lidar");
}

static ssize_t device_show(struct config_item *item, char *text)
{
	struct sim *sim = sim_of(item);
	struct device *dev = NULL;
	ssize_t bytes = 0;

	mutex_lock(&sim->lock);
	if (sim->consumer)
		dev = device_find_child(&sim->consumer->dev, NULL, is_lidar);
	if (dev)
		bytes = sysfs_emit(text, "%s\n", dev_name(dev));
	put_device(dev);
	mutex_unlock(&sim->lock);
	return bytes;
}
CONFIGFS_ATTR_RO(, device);

static ssize_t produced_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%llu\n", READ_ONCE(sim_of(item)->produced));
}
CONFIGFS_ATTR_RO(, produced);

static ssize_t lost_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%llu\n", READ_ONCE(sim_of(item)->lost));
}
CONFIGFS_ATTR_RO(, lost);

/* Set a setting of a device that is not live. */
#define set_unless_live(sim, member, value)					\
({										\
	int _ret = -EBUSY;							\
										\
	mutex_lock(&(sim)->lock);						\
	if (!(sim)->controller) {						\
		(sim)->settings.member = (value);				\
		_ret = 0;							\
	}									\
	mutex_unlock(&(sim)->lock);						\
	_ret;									\
})

static ssize_t rate_bytes_per_s_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%llu\n", READ_ONCE(sim_of(item)->settings.rate_bytes_per_s));
}

static ssize_t rate_bytes_per_s_store(struct config_item *item, const char *text, size_t bytes)
{
	u64 rate;
	int ret = kstrtou64(text, 0, &rate);

	if (ret)
		return ret;
	WRITE_ONCE(sim_of(item)->settings.rate_bytes_per_s, rate);
	return bytes;
}
CONFIGFS_ATTR(, rate_bytes_per_s);

static bool slice_bytes_possible(u32 bytes)
{
	return bytes && !(bytes % 32) && bytes <= LIDAR_RING_SLOT_BYTES_MAX;
}

static ssize_t slice_bytes_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%u\n", sim_of(item)->settings.slice_bytes);
}

static ssize_t slice_bytes_store(struct config_item *item, const char *text, size_t bytes)
{
	u32 value;
	int ret = kstrtou32(text, 0, &value);

	if (!ret && !slice_bytes_possible(value))
		ret = -EINVAL;
	if (!ret)
		ret = set_unless_live(sim_of(item), slice_bytes, value);
	return ret ?: bytes;
}
CONFIGFS_ATTR(, slice_bytes);

static ssize_t slices_per_frame_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%u\n", sim_of(item)->settings.slices_per_frame);
}

static ssize_t slices_per_frame_store(struct config_item *item, const char *text, size_t bytes)
{
	u16 value;
	int ret = kstrtou16(text, 0, &value);

	if (!ret && !value)
		ret = -EINVAL;
	if (!ret)
		ret = set_unless_live(sim_of(item), slices_per_frame, value);
	return ret ?: bytes;
}
CONFIGFS_ATTR(, slices_per_frame);

static ssize_t crc_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%d\n", sim_of(item)->settings.crc);
}

static ssize_t crc_store(struct config_item *item, const char *text, size_t bytes)
{
	bool value;
	int ret = kstrtobool(text, &value) ?: set_unless_live(sim_of(item), crc, value);

	return ret ?: bytes;
}
CONFIGFS_ATTR(, crc);

#define CHOICE(name)									\
static ssize_t name##_show(struct config_item *item, char *text)			\
{											\
	return sysfs_emit(text, "%s\n", name##_names[sim_of(item)->settings.name]);	\
}											\
											\
static ssize_t name##_store(struct config_item *item, const char *text, size_t bytes)	\
{											\
	int value = sysfs_match_string(name##_names, text);				\
	int ret = value < 0 ? value : set_unless_live(sim_of(item), name, value);	\
											\
	return ret ?: bytes;								\
}											\
CONFIGFS_ATTR(, name)

CHOICE(pattern);
CHOICE(format);
CHOICE(source);

/* Faults that count down show what is left of them. */
#define FAULT(name, member)								\
static ssize_t name##_show(struct config_item *item, char *text)			\
{											\
	return sysfs_emit(text, "%d\n", atomic_read(&sim_of(item)->faults.member));	\
}											\
											\
static ssize_t name##_store(struct config_item *item, const char *text, size_t bytes)	\
{											\
	u32 value;									\
	int ret = kstrtou32(text, 0, &value);						\
											\
	if (!ret && value > 1000000)							\
		ret = -ERANGE;								\
	if (!ret)									\
		atomic_set(&sim_of(item)->faults.member, value);			\
	return ret ?: bytes;								\
}											\
CONFIGFS_ATTR(, name)

FAULT(drop, drop);
FAULT(short, shorten);
FAULT(empty, empty);
FAULT(corrupt, corrupt);
FAULT(fail, fail);
FAULT(stall_ms, stall_ms);
FAULT(late_irq_us, late_irq_us);
FAULT(busy, busy);
FAULT(stuck, stuck);
FAULT(no_synchronize, no_synchronize);

static ssize_t clock_step_ticks_store(struct config_item *item, const char *text, size_t bytes)
{
	s64 ticks;
	int ret = kstrtos64(text, 0, &ticks);

	if (!ret)
		atomic64_add(ticks, &sim_of(item)->faults.clock_offset);
	return ret ?: bytes;
}
CONFIGFS_ATTR_WO(, clock_step_ticks);

static struct configfs_attribute *sim_attributes[] = {
	&attr_live,
	&attr_device,
	&attr_produced,
	&attr_lost,
	&attr_rate_bytes_per_s,
	&attr_slice_bytes,
	&attr_slices_per_frame,
	&attr_pattern,
	&attr_crc,
	&attr_format,
	&attr_source,
	&attr_drop,
	&attr_short,
	&attr_empty,
	&attr_corrupt,
	&attr_fail,
	&attr_stall_ms,
	&attr_late_irq_us,
	&attr_busy,
	&attr_stuck,
	&attr_no_synchronize,
	&attr_clock_step_ticks,
	&attr_unplug,
	NULL,
};

static void sim_release(struct config_item *item)
{
	struct sim *sim = sim_of(item);

	unplug(sim);
	ida_free(&sim_ids, sim->id);
	mutex_destroy(&sim->lock);
	kfree(sim);
}

static struct configfs_item_operations sim_operations = {
	.release = sim_release,
};

static const struct config_item_type sim_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &sim_operations,
	.ct_attrs = sim_attributes,
};

static struct sim *sim_new(const char *name)
{
	struct sim *sim;
	int id;

	if (strlen(name) >= SIM_NAME_BYTES)
		return ERR_PTR(-ENAMETOOLONG);
	sim = kzalloc(sizeof(*sim), GFP_KERNEL);
	if (!sim)
		return ERR_PTR(-ENOMEM);
	id = ida_alloc(&sim_ids, GFP_KERNEL);
	if (id < 0) {
		kfree(sim);
		return ERR_PTR(id);
	}
	sim->id = id;
	mutex_init(&sim->lock);
	/* before the controller is: a feed may be opened at once */
	init_waitqueue_head(&sim->dma.wait);
	sim->settings = (struct sim_settings){
		.rate_bytes_per_s = rate_bytes_per_s,
		.slice_bytes = slice_bytes,
		.slices_per_frame = slices_per_frame,
		.pattern = match_string(pattern_names, ARRAY_SIZE(pattern_names), pattern),
		.crc = crc,
	};
	config_group_init_type_name(&sim->group, name, &sim_type);
	return sim;
}

static struct config_group *make_sim(struct config_group *parent, const char *name)
{
	struct sim *sim = sim_new(name);

	return IS_ERR(sim) ? ERR_CAST(sim) : &sim->group;
}

static struct configfs_group_operations subsystem_operations = {
	.make_group = make_sim,
};

static const struct config_item_type subsystem_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &subsystem_operations,
};

static struct configfs_subsystem subsystem = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "lidar_sim",
			.ci_type = &subsystem_type,
		},
	},
};

static struct sim *ready_made[INSTANCES_MAX];

static int make_ready(unsigned int index)
{
	char name[SIM_NAME_BYTES];
	struct sim *sim;
	int ret;

	snprintf(name, sizeof(name), "sim%u", index);
	sim = sim_new(name);
	if (IS_ERR(sim))
		return PTR_ERR(sim);
	ret = configfs_register_group(&subsystem.su_group, &sim->group);
	if (ret) {
		config_item_put(&sim->group.cg_item);
		return ret;
	}
	ready_made[index] = sim;
	return set_live(sim, true);
}

static void remove_ready(void)
{
	unsigned int i;

	for (i = 0; i < INSTANCES_MAX && ready_made[i]; i++) {
		set_live(ready_made[i], false);
		configfs_unregister_group(&ready_made[i]->group);
		config_item_put(&ready_made[i]->group.cg_item);
		ready_made[i] = NULL;
	}
}

static int __init sim_init(void)
{
	unsigned int i;
	int ret;

	if (instances > INSTANCES_MAX || !slice_bytes_possible(slice_bytes) ||
	    !slices_per_frame || slices_per_frame > U16_MAX ||
	    match_string(pattern_names, ARRAY_SIZE(pattern_names), pattern) < 0)
		return -EINVAL;
	ret = platform_driver_register(&controller_driver);
	if (ret)
		return ret;
	config_group_init(&subsystem.su_group);
	mutex_init(&subsystem.su_mutex);
	ret = configfs_register_subsystem(&subsystem);
	if (ret)
		goto unregister_driver;
	for (i = 0; i < instances && !ret; i++)
		ret = make_ready(i);
	if (!ret)
		return 0;

	remove_ready();
	configfs_unregister_subsystem(&subsystem);
unregister_driver:
	mutex_destroy(&subsystem.su_mutex);
	platform_driver_unregister(&controller_driver);
	return ret;
}

static void __exit sim_exit(void)
{
	remove_ready();
	configfs_unregister_subsystem(&subsystem);
	mutex_destroy(&subsystem.su_mutex);
	platform_driver_unregister(&controller_driver);
	ida_destroy(&sim_ids);
}

module_init(sim_init);
module_exit(sim_exit);
MODULE_DESCRIPTION("virtual LIDARs behind a DMA controller made of software");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: lidar_ring");
