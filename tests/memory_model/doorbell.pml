/* The doorbell and the wait registrations: no wake-up is lost (docs/decisions/0009).
 *
 * Broker: RouteWriter::publish_record, move_doorbell, the fence of Delivery::proceed, settle, wake.
 * Guest: MappedRoute::wait with DoorbellWaiter::observe and sleep_until; one waiting thread
 * (a wake-up is for all, they do not see each other), and one that registers and is killed. What
 * to do is one growing word (the activation log's counter).
 * A waiter that has seen everything may sleep for ever here: kLongestSleepNanoseconds is left out,
 * so that nothing is found by looking again after a while. */
#define PROCESSES 2
#define WORDS 3
#define DOORBELL 0   /* sync: doorbell */
#define WAIT_COUNT 1 /* sync: wait-count */
#define WORK 2       /* sync: activation-log */
#include "store_buffer.pml"

#ifndef RINGS
#define RINGS 3
#endif
#define BROKER 0
#define WAITER 1

bool asleep; /* in futex_wait */
byte done;   /* work that the waiter has seen */
inline wake() {
  d_step {
    EMPTIED(BROKER) -> /* system calls drain the buffer */
    asleep = false
  }
}

proctype broker() {
  byte ring = 0;
  byte published = 0;
  byte waits = 0;
  byte settled = 0;
  byte before = 0;
  bool waiting = false;
  bool late = false;
  do
  :: published < RINGS ->
     published++;
     if
     :: late = false; release(BROKER, WORK, published) /* sync: activation-log */
     :: late = true
     fi;
     ring++;
     release(BROKER, DOORBELL, ring); /* sync: doorbell */
#ifndef WITHOUT_FENCE
     fence(BROKER); /* sync: wait-count */
#endif
     if
     :: late -> /* settle() finds the lane dropped: activates, rings again */
        release(BROKER, WORK, published);
        ring++;
        release(BROKER, DOORBELL, ring);
#ifndef WITHOUT_LATE_FENCE
        fence(BROKER);
#endif
     :: else
     fi;
     load(BROKER, WAIT_COUNT, waits); /* sync: wait-count */
     d_step {
#ifdef WITHOUT_SECOND_RING
       waiting = waits != before;
#else
       waiting = waits != settled;
#endif
       settled = before;
       before = waits;
       waits = 0
     };
     if
     :: waiting -> wake()
     :: else
     fi
  :: else -> break
  od;
  fence(BROKER);
end_at_rest: /* nobody will ever wake those who sleep now */
  asleep && done != memory[WORK] -> assert(false)
}

proctype waiter() {
  byte seen = 0;
  byte now = 0;
  bool registered = false;
  load(WAITER, DOORBELL, seen); /* sync: doorbell */
  do
  ::
     load(WAITER, WORK, now); /* sync: activation-log */
     if
     :: now != done -> done = now; now = 0
     :: else ->
        now = 0;
#ifdef WITHOUT_OBSERVING_FIRST
        load(WAITER, DOORBELL, seen);
#endif
        do
        :: /* DoorbellWaiter::sleep_until */
           if
           :: !registered -> registered = true; fetch_add(WAITER, WAIT_COUNT) /* sync: wait-count */
           :: else
           fi;
#ifndef WITHOUT_REGISTERING_ANEW
           registered = false;
#endif
           load(WAITER, DOORBELL, now); /* sync: doorbell */
           if
           :: now != seen -> break
           :: else
           fi;
           now = 0;
           d_step { /* futex_wait: the kernel compares and sleeps in one step */
             EMPTIED(WAITER) ->
             asleep = memory[DOORBELL] == seen
           };
end_asleep:
           !asleep;
           load(WAITER, DOORBELL, now);
           if
           :: now != seen -> break
           :: else -> now = 0 /* woken by an earlier ring: sleeps again */
           fi
        od;
        seen = now;
        now = 0
     fi
  od
}

/* What wakes without a ring: a signal, a time-out, a wake-up for somebody else. */
proctype spurious() {
  atomic { asleep -> asleep = false }
}

proctype killed_waiter() {
  d_step { memory[WAIT_COUNT]++ }
}

init {
  atomic {
    run store_buffer(BROKER);
    run broker();
    run waiter();
    run spurious();
    run killed_waiter()
  }
}
