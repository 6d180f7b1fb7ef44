/* The outbox, the kick and the receipts: no publish is left lying while the broker sleeps, no
 * publisher sleeps through its receipt, and each receipt is whole (docs/decisions/0022, 0034).
 *
 * Guest: Outbox::make_room, show_tail, outcome, wait_until. Broker: OutboxService::kicked, poll,
 * is_idle_after, ReceiptWriter::acknowledge and ring. A publish number is its record here: the ring
 * of bytes is left out. No time-outs: nothing is found by looking again after a while. */
#define PROCESSES 2
#define WORDS 10
#define TAIL 0       /* sync: outbox-tail */
#define ASLEEP 1     /* sync: broker-asleep */
#define ACCEPTED 2   /* sync: receipt */
#define DOORBELL 3   /* the receipts' doorbell, futex word */
#define RECEIPTS 2
#define NUMBER(n) (4 + (n) % RECEIPTS)  /* Receipt::publish_number */
#define OUTCOME(n) (6 + (n) % RECEIPTS) /* Receipt::taken and the like: n + 10 */
#define RECORD(n) (8 + (n) % RECEIPTS)  /* the message in the ring */
#include "store_buffer.pml"
#define BROKER 0
#define GUEST 1
#ifndef PUBLISHES
#define PUBLISHES 3
#endif

byte kicks;          /* datagrams on the control socket */
bool guest_sleeps;   /* in futex_wait on the receipts' doorbell */
bool broker_sleeps;  /* in epoll_wait */

inline pending(found) { load(BROKER, TAIL, found); found = found != taken } /* sync: outbox-tail */
inline set_asleep(yes) {
#ifdef WITHOUT_BROKER_FENCE
  store(BROKER, ASLEEP, yes)
#else
  exchange(BROKER, ASLEEP, yes) /* sync: broker-asleep */
#endif
}

proctype broker() {
  byte taken = 0;
  byte rings = 0;
  byte seen = 0;
  bool hot = false;
  do
  :: hot ->
     pending(seen);
     if
     :: seen -> /* OutboxService::finish */
        seen = 0;
        taken++;
        load(BROKER, RECORD(taken), seen);
        assert(seen == taken);
        seen = 0;
        store(BROKER, OUTCOME(taken), taken + 10);
        release(BROKER, NUMBER(taken), taken);
        release(BROKER, ACCEPTED, taken); /* sync: receipt */
        rings++;
        release(BROKER, DOORBELL, rings);
        d_step { EMPTIED(BROKER) -> guest_sleeps = false } /* futex_wake */
     :: else -> /* is_idle_after, when it has spun long enough */
        set_asleep(1);
#ifndef WITHOUT_SECOND_LOOK
        pending(seen);
#endif
        if
        :: seen -> seen = 0; set_asleep(0)
        :: else -> hot = false
        fi
     fi
  :: !hot ->
     d_step { EMPTIED(BROKER) -> broker_sleeps = true };
end_asleep:
     atomic { kicks > 0 -> kicks--; broker_sleeps = false };
     hot = true;
     set_asleep(0)
  od
}

/* wait_until, after the doorbell was read into `bell`. */
inline sleep_on_receipts() {
  d_step { EMPTIED(GUEST) -> guest_sleeps = memory[DOORBELL] == bell };
  !guest_sleeps
}

proctype guest() {
  byte newest = 0;
  byte bell = 0;
  byte seen = 0;
  do
  :: newest < PUBLISHES ->
     do /* Outbox::enter: until a receipt is free */
     ::
        load(GUEST, DOORBELL, bell);
        load(GUEST, ACCEPTED, seen); /* sync: receipt */
        if
        :: newest - seen >= RECEIPTS -> seen = 0; sleep_on_receipts()
        :: else -> seen = 0; break
        fi
     od;
     newest++;
     store(GUEST, RECORD(newest), newest);
     release(GUEST, TAIL, newest); /* sync: outbox-tail */
#ifndef WITHOUT_GUEST_FENCE
     fence(GUEST);
#endif
     load(GUEST, ASLEEP, seen); /* sync: broker-asleep */
     if
     :: seen -> d_step { EMPTIED(GUEST) -> kicks++; seen = 0 } /* sendmsg */
     :: else
     fi;
     if
     :: skip
     :: do /* Outbox::wait_for_receipt, then outcome() */
        ::
#ifndef WITHOUT_OBSERVING_FIRST
           load(GUEST, DOORBELL, bell);
#endif
           load(GUEST, ACCEPTED, seen); /* sync: receipt */
           if
           :: seen >= newest -> seen = 0; break
           :: else -> seen = 0
           fi;
#ifdef WITHOUT_OBSERVING_FIRST
           load(GUEST, DOORBELL, bell);
#endif
           sleep_on_receipts()
        od;
        load(GUEST, NUMBER(newest), seen);
        assert(seen == newest);
        load(GUEST, OUTCOME(newest), seen);
        assert(seen == newest + 10);
        seen = 0
     fi;
     bell = 0
  :: else -> break
  od;
  EMPTIED(GUEST);
  /* The guest does nothing any more: the broker may not sleep on a message. */
end_at_rest:
  broker_sleeps && kicks == 0 && memory[ACCEPTED] != PUBLISHES -> assert(false)
}

init {
  memory[ASLEEP] = 1; /* format_receipts */
  atomic {
    run store_buffer(BROKER);
    run store_buffer(GUEST);
    run broker();
    run guest()
  }
}
