/* The activation log and the rotation: a lane that holds messages is in the rotation or in the log,
 * also when the log was lapped, a lane's slot changed hands, or a worker died
 * (docs/architecture.md, "Life of a message"; docs/decisions/0009).
 *
 * Broker: RouteWriter::publish_record, activate, settle, evict_head, open_lane, the fence of
 * Delivery::proceed. Guest: RouteReader::join_activated, join_logged, rebuild, visit_lane. Lanes
 * hold messages as counts. A generation is at most 2, a lane is 0 or 1. At the end one more drain
 * call must leave every lane empty. */
#define PROCESSES 2
#ifndef PUBLISHES
#define PUBLISHES 3
#endif
#define LANES 2
#ifndef LOG
#define LOG 2
#endif
#define HEAD(lane) (lane)            /* sync: lane-head */
#define TAIL(lane) (2 + lane)        /* sync: lane-tail */
#define GENERATION(lane) (4 + lane)
#define ACTIVATIONS 6                /* sync: activation-log */
#define ENTRY(number) (7 + (number) % LOG) /* sync: activation-entry */
#define WORDS (7 + LOG)
#include "store_buffer.pml"
#define BROKER 0
#define GUEST 1

#define PACK(lane, generation) ((generation) * 2 + (lane))

bool broker_done, killed;
bool joined[LANES];       /* the rotation, and the generation that a lane joined as */
byte joined_as[LANES];
byte activations_seen;

inline activate() {
  release(BROKER, ENTRY(activations), PACK(lane, generation[lane])); /* sync: activation-entry */
  activations++;
  release(BROKER, ACTIVATIONS, activations) /* sync: activation-log */
}

proctype broker() {
  byte head[LANES];
  byte tail[LANES];
  byte generation[LANES] = 1;
  byte activations = 0;
  byte published = 0;
  byte seen = 0;
  byte lane = 0;
  bool done = false;
  bool was_empty = false;
  do
  :: published < PUBLISHES ->
     published++;
     if
     :: lane = 0
     :: lane = 1
     fi;
     load(BROKER, HEAD(lane), seen); /* Route::place observes */
     head[lane] = seen;
     seen = 0;
     if
     :: head[lane] == tail[lane] && tail[lane] > 0 && generation[lane] == 1 && lane == 0 ->
        generation[lane] = 2; /* the slot was given back, another principal has it */
        release(BROKER, GENERATION(lane), 2)
     :: head[lane] != tail[lane] -> /* room is made: evict_head */
        seen = head[lane];
        compare_exchange(BROKER, HEAD(lane), seen, head[lane] + 1, done); /* sync: lane-head */
        if
        :: done -> head[lane]++
        :: else -> head[lane] = seen
        fi;
        seen = 0;
        done = false
     :: true
     fi;
     was_empty = head[lane] == tail[lane];
     tail[lane]++;
     release(BROKER, TAIL(lane), tail[lane]); /* sync: lane-tail */
     if
     :: was_empty -> activate()
     :: else
     fi;
#ifndef WITHOUT_PUBLISH_FENCE
     fence(BROKER); /* sync: wait-count, lane-tail */
#endif
#ifndef WITHOUT_SETTLE
     if
     :: !was_empty ->
        load(BROKER, HEAD(lane), seen); /* sync: lane-head */
        if
        :: seen == tail[lane] - 1 -> activate()
        :: else
        fi;
        seen = 0
     :: else
     fi;
#endif
     atomic { was_empty = false; lane = 0 }
  :: else -> break
  od;
  fence(BROKER);
  broker_done = true
}

inline join_one() {
  load(GUEST, GENERATION(lane), seen);
  atomic {
    if
    :: seen != 0 -> joined[lane] = true; joined_as[lane] = seen
    :: else
    fi;
    seen = 0
  }
}

inline look_at_counts() { /* RouteReader::has_messages */
#ifdef WITHOUT_HEAD_FIRST
  load(GUEST, TAIL(lane), tail);
  load(GUEST, HEAD(lane), head)
#else
  load(GUEST, HEAD(lane), head); /* sync: lane-head */
  load(GUEST, TAIL(lane), tail)  /* sync: lane-tail */
#endif
}

inline rebuild_lanes() {
  lane = 0;
  do
  :: lane < LANES ->
     look_at_counts();
     if
     :: tail != head -> join_one()
     :: else
     fi;
     lane++
  :: else -> break
  od;
  atomic { lane = 0; tail = 0; head = 0 }
}

inline rebuild(from_nothing) {
  atomic {
    if
    :: from_nothing ->
       joined[0] = false; joined[1] = false;
       joined_as[0] = 0; joined_as[1] = 0
    :: else
    fi
  };
#ifdef WITHOUT_COUNTER_FIRST
  rebuild_lanes();
  load(GUEST, ACTIVATIONS, activations_seen)
#else
  load(GUEST, ACTIVATIONS, activations_seen); /* sync: activation-log */
  rebuild_lanes()
#endif
}

inline join_activated() {
  load(GUEST, ACTIVATIONS, written); /* sync: activation-log */
  if
  :: written == activations_seen
#ifdef WITHOUT_ONE_EARLY
  :: written != activations_seen && written - activations_seen > LOG -> rebuild(false)
  :: written != activations_seen && written - activations_seen <= LOG ->
#else
  :: written != activations_seen && written - activations_seen >= LOG -> rebuild(false)
  :: written != activations_seen && written - activations_seen < LOG ->
#endif
     oldest = activations_seen;
     do
     :: activations_seen != written -> /* join_logged */
        load(GUEST, ENTRY(activations_seen), entry);
        atomic { lane = entry % 2; entry = entry / 2 };
        load(GUEST, GENERATION(lane), seen);
        if
        :: entry == seen ->
           look_at_counts();
           if
           :: tail != head -> join_one()
           :: else
           fi
        :: else
        fi;
        atomic { seen = 0; lane = 0; entry = 0; tail = 0; head = 0; activations_seen++ }
     :: else -> break
     od;
#ifndef WITHOUT_SECOND_LOOK
     load(GUEST, ACTIVATIONS, seen); /* sync: activation-entry */
#ifdef WITHOUT_ONE_EARLY
     if
     :: seen - oldest > LOG -> seen = 0; rebuild(false)
#else
     if
     :: seen - oldest >= LOG -> seen = 0; rebuild(false)
#endif
     :: else -> seen = 0
     fi;
#endif
     oldest = 0
  fi;
  written = 0
}

inline visit_lane() {
  load(GUEST, HEAD(lane), head); /* sync: lane-head */
  load(GUEST, TAIL(lane), tail); /* sync: lane-tail */
  load(GUEST, GENERATION(lane), seen);
  if
  :: head == tail || seen != joined_as[lane] ->
     atomic { joined[lane] = false; joined_as[lane] = 0; seen = 0 }
  :: else ->
     seen = head;
     compare_exchange(GUEST, HEAD(lane), seen, tail, done); /* sync: lane-head */
     seen = 0;
     if
     :: done ->
        done = false;
#ifndef WITHOUT_LOOK_AFTER_CLAIM
        head = tail;
        load(GUEST, TAIL(lane), tail); /* after a fence.  sync: lane-tail */
#else
        head = tail;
#endif
        if
        :: head == tail -> atomic { joined[lane] = false; joined_as[lane] = 0 }
        :: else
        fi
     :: else
     fi
  fi;
  atomic { head = 0; tail = 0; lane = 0 }
}

/* One worker after the other, under the drain mutex; the first may die anywhere. */
proctype workers() {
  byte lane, head, tail, seen, written, oldest, entry;
  bool done;
  bool repair = false;
  bool last = false;
  {
again:
    do
    ::
       last = broker_done;
       if
       :: repair -> rebuild(true); repair = false
       :: else
       fi;
       join_activated();
       do
       :: joined[0] -> lane = 0; visit_lane()
       :: joined[1] -> lane = 1; visit_lane()
       :: !joined[0] && !joined[1] -> break
       od;
       if
       :: last -> break
       :: else
       fi
    od
  } unless { killed };
  if
  :: killed ->
     atomic {
       killed = false; repair = true;
       lane = 0; head = 0; tail = 0; seen = 0; written = 0; oldest = 0; entry = 0; done = false
     };
     goto again
  :: else
  fi;
  assert(memory[HEAD(0)] == memory[TAIL(0)] && memory[HEAD(1)] == memory[TAIL(1)])
}

init {
  memory[GENERATION(0)] = 1;
  memory[GENERATION(1)] = 1;
  atomic {
    run store_buffer(BROKER);
    run broker();
    run workers()
  };
  if
  :: killed = true
  :: skip
  fi
}
