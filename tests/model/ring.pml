/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.pml - the fill and the ready ring between user and kernel, for spin
 *
 * What include/uapi/lidar_ring.h promises, on a memory weaker than any machine
 * lidard runs on.  Two processors, the user's and the kernel's, share the words
 * of the control page:
 *
 *   Stores go to a buffer first.  Each word drains from it whenever it likes,
 *   before or after words stored earlier or later.  A release store drains
 *   after all that its processor stored before it, and is not issued before all
 *   earlier loads have their value.
 *   Loads get their value early or late, also before an earlier load they do
 *   not depend on, and after a later store.  An acquire load gets its value
 *   before any later load or store.  That a branch depends on a load orders
 *   nothing, as in C11.
 *   A full barrier waits until the buffer is empty and all loads are done.
 *
 * A word of the page has one writer, so its pending store lies beside it, and
 * its writer never loads it: it keeps a copy of its own, as both sides do.
 * The kernel's side is one process, for a lock serialises its contexts.  It
 * looks at the fill ring at start, when the device finishes a slot, and when
 * kicked.  The user gives and takes slots in any order, and may stop for ever
 * after any call.  KICK runs on the user's own processor and sees its stores.
 *
 * Barriers are macros that -D can set to 0; tests/model/run.py does so with each
 * in turn and expects one of the promises below to be broken.
 */
#ifndef FILL_PRODUCER_RELEASE
#define FILL_PRODUCER_RELEASE 1		/* user: the entry, then the index */
#endif
#ifndef FILL_PRODUCER_ACQUIRE
#define FILL_PRODUCER_ACQUIRE 1		/* kernel: the index, then the entry */
#endif
#ifndef FILL_CONSUMER_RELEASE
#define FILL_CONSUMER_RELEASE 1		/* kernel: the entry read, then the index */
#endif
#ifndef FILL_CONSUMER_ACQUIRE
#define FILL_CONSUMER_ACQUIRE 1		/* user: room seen, then the entry written */
#endif
#ifndef READY_PRODUCER_RELEASE
#define READY_PRODUCER_RELEASE 1	/* kernel: the descriptor, then the index */
#endif
#ifndef READY_PRODUCER_ACQUIRE
#define READY_PRODUCER_ACQUIRE 1	/* user: the index, then the descriptor */
#endif
#ifndef READY_CONSUMER_RELEASE
#define READY_CONSUMER_RELEASE 1	/* user: the descriptor read, then the index */
#endif
#ifndef READY_CONSUMER_ACQUIRE
#define READY_CONSUMER_ACQUIRE 1	/* kernel: room seen, then the descriptor written */
#endif
#ifndef WAKEUP_USER_BARRIER
#define WAKEUP_USER_BARRIER 1		/* user: fill_producer, then fill_flags */
#endif
#ifndef WAKEUP_KERNEL_BARRIER
#define WAKEUP_KERNEL_BARRIER 1		/* kernel: fill_flags, then fill_producer */
#endif
/*
 * The release of fill_producer orders loads too, which a store barrier would
 * not: the points of the slot were read before it is the kernel's again.
 */
#ifndef FILL_PRODUCER_AFTER_POINTS
#define FILL_PRODUCER_AFTER_POINTS FILL_PRODUCER_RELEASE
#endif
/*
 * No barrier but an order in the kernel's code: it learns which descriptors
 * were consumed after it has loaded fill_producer, else it would take a slot
 * that came back at once for one that is still full.
 */
#ifndef READY_CONSUMER_AFTER_FILL_PRODUCER
#define READY_CONSUMER_AFTER_FILL_PRODUCER 1
#endif

#ifndef SLOTS
#define SLOTS 2		/* as many as entries, as SETUP lays it out; or more */
#endif
#define ENTRIES 2	/* a power of two */
#define WRAP 4		/* indices run freely and wrap: a u32 of two bits */

#define AT(index) ((index) & (ENTRIES - 1))
#define USED(producer, consumer) (((producer) + WRAP - (consumer)) % WRAP)
#define SLOT_BIT(slot) (1 << ((slot) - 1))	/* slots count from 1; 0 is no slot */

/* The words of the control page, the user's first; two entries a ring. */
#define FILL_ENTRY 0
#define FILL_PRODUCER 2
#define READY_CONSUMER 3
#define READY_OFFSET 4
#define READY_BYTES 6
#define READY_PRODUCER 8
#define FILL_CONSUMER 9
#define FILL_FLAGS 10
#define WORDS 11
#define OF_USER ((1 << READY_OFFSET) - 1)
#define OF_KERNEL ((1 << WORDS) - 1 - OF_USER)

byte word[WORDS];
byte buffered[WORDS];
short pending;		/* words that have not drained yet */
short earlier[WORDS];	/* words that drain before this one: a release */

#define PENDING(w) (pending & (1 << (w)))

/* What no processor sees: it is here to tell right from wrong. */
byte kernel_owns;	/* slots the device may write */
bool asleep;		/* the kernel waits for a kick */
bool kicked;
byte fill_consumed;	/* the kernel's own fill_consumer */
chan given = [SLOTS + 1] of { byte };	/* in the order in which the user filled */
chan filled = [SLOTS + 1] of { byte };	/* in the order in which the device did */

/* The promises. */
bool fill_entry_read_before_it_was_written;
bool fill_entry_overwritten_before_it_was_read;
bool descriptor_read_before_it_was_complete;
bool descriptor_overwritten_before_it_was_read;
bool slots_out_of_order;
bool slot_has_two_owners;
bool slot_of_the_user_refused;
bool wakeup_lost;
bool index_impossible;

inline promise(kept, broken)
{
	if
	:: kept
	:: else ->
		broken = true;
		assert(!broken)
	fi
}

inline store(target, new_value, release, own)
{
	atomic {
		!PENDING(target) ->
		buffered[target] = new_value;
		earlier[target] = (release -> pending & own : 0);
		pending = pending | (1 << (target))
	}
}

/* One for each word: it drains some time. */
proctype drain(byte w)
{
	byte other;
end:
	do
	:: atomic {
		PENDING(w) && !(pending & earlier[w]) ->
		if
		:: w < FILL_ENTRY + ENTRIES ->
			promise(word[w] == 0, fill_entry_overwritten_before_it_was_read)
		:: w >= READY_OFFSET && w < READY_BYTES + ENTRIES ->
			promise(word[w] == 0, descriptor_overwritten_before_it_was_read)
		:: else
		fi;
		word[w] = buffered[w];
		buffered[w] = 0;
		earlier[w] = 0;
		pending = pending & ~(1 << w);
		/* what this word stores next is not what the others wait for */
		d_step {
			other = 0;
			do
			:: other < WORDS ->
				earlier[other] = earlier[other] & ~(1 << w);
				other++
			:: else -> break
			od;
			other = 0
		}
	}
	od
}

/* What an entry held is gone once it was read: reading it again, or too early, gives 0. */
inline load_entry(ret_value, source)
{
	ret_value = word[source];
	word[source] = 0
}

/* Steps of an operation; each runs once, in any order that its guard allows. */
#define INDEX 1
#define ENTRY 2
#define SECOND 4
#define STORED 8
#define HELD 16
#define DONE(step) (done & (step))

/* All slots may be in the fill ring, and the device does not know. */
#define STARVES \
	(asleep && !kicked && !(pending & OF_USER) && word[FILL_PRODUCER] != fill_consumed)

#define FILL_ROOM (USED(produced, word[FILL_CONSUMER]) < ENTRIES)

proctype user()
{
	byte produced;		/* fill_producer */
	byte consumed;		/* ready_consumer */
	byte mine = (1 << SLOTS) - 1;
	byte slot, bytes, done, expected;

idle:
	if
	:: mine != 0 -> goto give
	:: true -> goto take
	/* It does nothing more from here on. */
	:: STARVES -> promise(false, wakeup_lost)
	fi;

	/* Its points were read, of which SECOND is the last load. */
give:
	if
	:: mine & 1 -> slot = 1
	:: mine & 2 -> slot = 2
#if SLOTS > 2
	:: mine & 4 -> slot = 3
#endif
	fi;
	do
	:: atomic { !DONE(INDEX) && !DONE(ENTRY) ->
		if
		:: FILL_ROOM -> done = done | INDEX
		:: else -> slot = 0; done = 0; goto idle
		fi }
	:: atomic { !DONE(INDEX) && DONE(ENTRY) && FILL_ROOM -> done = done | INDEX }
	:: atomic { !DONE(ENTRY) && (DONE(INDEX) || !FILL_CONSUMER_ACQUIRE) &&
		    !PENDING(FILL_ENTRY + AT(produced)) ->
		store(FILL_ENTRY + AT(produced), slot, 0, OF_USER);
		done = done | ENTRY }
	:: atomic { !DONE(SECOND) ->
		promise(!(kernel_owns & SLOT_BIT(slot)), slot_has_two_owners);
		done = done | SECOND }
	:: atomic { DONE(INDEX) && DONE(ENTRY) && !DONE(STORED) &&
		    (DONE(SECOND) || !FILL_PRODUCER_AFTER_POINTS) && !PENDING(FILL_PRODUCER) ->
		given!slot;
		mine = mine & ~SLOT_BIT(slot);
		produced = (produced + 1) % WRAP;
		store(FILL_PRODUCER, produced, FILL_PRODUCER_RELEASE, OF_USER);
		done = done | STORED }
	:: atomic { DONE(SECOND) && DONE(STORED) &&
		    (!WAKEUP_USER_BARRIER || !(pending & OF_USER)) ->
		slot = 0;
		done = 0;
		if
		:: word[FILL_FLAGS] -> break
		:: else -> goto idle
		fi }
	od;
	atomic { !(pending & OF_USER) ->
		kicked = true;
		goto idle }

take:
	do
	:: atomic { !DONE(INDEX) ->
		if
		:: word[READY_PRODUCER] == consumed ->
			slot = 0; bytes = 0; done = 0;
			goto poll
		:: else ->
			promise(USED(word[READY_PRODUCER], consumed) <= ENTRIES, index_impossible);
			done = done | INDEX;
			/* what was read early was read */
			if
			:: DONE(ENTRY) -> word[READY_OFFSET + AT(consumed)] = 0
			:: else
			fi;
			if
			:: DONE(SECOND) -> word[READY_BYTES + AT(consumed)] = 0
			:: else
			fi
		fi }
	:: atomic { !DONE(ENTRY) && DONE(INDEX) ->
		load_entry(slot, READY_OFFSET + AT(consumed));
		done = done | ENTRY }
	:: atomic { !DONE(ENTRY) && !DONE(INDEX) && !READY_PRODUCER_ACQUIRE ->
		slot = word[READY_OFFSET + AT(consumed)];
		done = done | ENTRY }
	:: atomic { !DONE(SECOND) && DONE(INDEX) ->
		load_entry(bytes, READY_BYTES + AT(consumed));
		done = done | SECOND }
	:: atomic { !DONE(SECOND) && !DONE(INDEX) && !READY_PRODUCER_ACQUIRE ->
		bytes = word[READY_BYTES + AT(consumed)];
		done = done | SECOND }
	:: atomic { DONE(INDEX) && !DONE(STORED) &&
		    (DONE(ENTRY) && DONE(SECOND) || !READY_CONSUMER_RELEASE) &&
		    !PENDING(READY_CONSUMER) ->
		store(READY_CONSUMER, (consumed + 1) % WRAP, READY_CONSUMER_RELEASE, OF_USER);
		done = done | STORED }
	:: atomic { DONE(ENTRY) && DONE(SECOND) && DONE(STORED) ->
		promise(slot != 0 && slot == bytes, descriptor_read_before_it_was_complete);
		filled?expected;
		promise(slot == expected, slots_out_of_order);
		promise(!(mine & SLOT_BIT(slot)), slot_has_two_owners);
		mine = mine | SLOT_BIT(slot);
		kernel_owns = kernel_owns & ~SLOT_BIT(slot);
		consumed = (consumed + 1) % WRAP;
		slot = 0; bytes = 0; done = 0; expected = 0;
		goto idle }
	od;

	/* poll(2), when there is nothing else to do */
poll:
	if
	:: mine != 0 -> goto idle
	:: word[READY_PRODUCER] != consumed -> goto take
	:: STARVES -> promise(false, wakeup_lost)
	fi
}

/* The kernel, and the device behind it. */
chan queue = [SLOTS] of { byte };	/* slots the device fills, in this order */
byte ready_slots[ENTRIES];			/* slots in the ready ring: its own copy */
byte not_free;				/* slots QUEUED, FILLING or FULL */
byte ready_produced, ready_known;	/* its copies of the ready ring's indices */
bool flagged;

/* Which descriptors has the user consumed? Their slots are HELD. */
inline learn(seen)
{
	promise(USED(seen, ready_known) <= USED(ready_produced, ready_known), index_impossible);
	do
	:: ready_known != seen ->
		not_free = not_free & ~SLOT_BIT(ready_slots[AT(ready_known)]);
		ready_slots[AT(ready_known)] = 0;
		ready_known = (ready_known + 1) % WRAP
	:: else -> break
	od
}

/* Queue all that is in the fill ring. */
inline look()
{
	do
	:: atomic { !DONE(INDEX) ->
		index = word[FILL_PRODUCER];
		done = done | INDEX;
		if
		:: index == fill_consumed ->
			slot = 0; index = 0; done = 0;
			break
		:: else ->
			promise(USED(index, fill_consumed) <= ENTRIES, index_impossible);
			index = 0;
			if
			:: DONE(ENTRY) -> word[FILL_ENTRY + AT(fill_consumed)] = 0
			:: else
			fi
		fi }
	:: atomic { !DONE(ENTRY) && DONE(INDEX) ->
		load_entry(slot, FILL_ENTRY + AT(fill_consumed));
		done = done | ENTRY }
	:: atomic { !DONE(ENTRY) && !DONE(INDEX) && !FILL_PRODUCER_ACQUIRE ->
		slot = word[FILL_ENTRY + AT(fill_consumed)];
		done = done | ENTRY }
	:: atomic { !DONE(HELD) && (DONE(INDEX) || !FILL_PRODUCER_ACQUIRE ||
				    !READY_CONSUMER_AFTER_FILL_PRODUCER) ->
		learn(word[READY_CONSUMER]);
		done = done | HELD }
	:: atomic { DONE(INDEX) && !DONE(STORED) && (DONE(ENTRY) || !FILL_CONSUMER_RELEASE) &&
		    !PENDING(FILL_CONSUMER) ->
		store(FILL_CONSUMER, (fill_consumed + 1) % WRAP, FILL_CONSUMER_RELEASE, OF_KERNEL);
		done = done | STORED }
	:: atomic { DONE(ENTRY) && DONE(HELD) && DONE(STORED) ->
		promise(slot != 0, fill_entry_read_before_it_was_written);
		given?index;
		promise(slot == index, slots_out_of_order);
		promise(!(not_free & SLOT_BIT(slot)), slot_of_the_user_refused);
		promise(!(kernel_owns & SLOT_BIT(slot)), slot_has_two_owners);
		not_free = not_free | SLOT_BIT(slot);
		kernel_owns = kernel_owns | SLOT_BIT(slot);
		queue!slot;
		fill_consumed = (fill_consumed + 1) % WRAP;
		slot = 0; index = 0; done = 0 }
	od
}

#define READY_ROOM (USED(ready_produced, word[READY_CONSUMER]) < ENTRIES)

/* The device has filled the slot that was queued first. */
inline finish()
{
	atomic { queue?slot; filled!slot };
	do
	:: atomic { !DONE(INDEX) && READY_ROOM ->
		learn(word[READY_CONSUMER]);
		done = done | INDEX }
	:: atomic { !DONE(ENTRY) && (DONE(INDEX) || !READY_CONSUMER_ACQUIRE) &&
		    !PENDING(READY_OFFSET + AT(ready_produced)) ->
		store(READY_OFFSET + AT(ready_produced), slot, 0, OF_KERNEL);
		done = done | ENTRY }
	:: atomic { !DONE(SECOND) && (DONE(INDEX) || !READY_CONSUMER_ACQUIRE) &&
		    !PENDING(READY_BYTES + AT(ready_produced)) ->
		store(READY_BYTES + AT(ready_produced), slot, 0, OF_KERNEL);
		done = done | SECOND }
	:: atomic { DONE(INDEX) && DONE(ENTRY) && DONE(SECOND) &&
		    !PENDING(READY_PRODUCER) ->
		ready_slots[AT(ready_produced)] = slot;
		ready_produced = (ready_produced + 1) % WRAP;
		store(READY_PRODUCER, ready_produced, READY_PRODUCER_RELEASE, OF_KERNEL);
		slot = 0; done = 0;
		break }
	od
}

proctype kernel()
{
	byte slot, index, done;

	do
	:: look();
		if
		:: len(queue) != 0 || flagged
		:: atomic { len(queue) == 0 && !flagged ->
			store(FILL_FLAGS, 1, 0, OF_KERNEL);
			flagged = true };
			!WAKEUP_KERNEL_BARRIER || !(pending & OF_KERNEL);
			look()
		fi;
		atomic {
			if
			:: len(queue) != 0 && flagged ->
				store(FILL_FLAGS, 0, 0, OF_KERNEL);
				flagged = false
			:: else
			fi;
			asleep = (len(queue) == 0)
		};
		if
		:: len(queue) != 0 -> finish()
		:: atomic { kicked -> kicked = false; asleep = false }
		fi
	od
}

init
{
	byte w;

	atomic {
		do
		:: w < WORDS -> run drain(w); w++
		:: else -> break
		od;
		run user();
		run kernel()
	}
}
