/* One lane whose head is claimed by workers and evicted by the broker: every message is delivered
 * or evicted, once, counted right, and its place is found, whoever dies where (docs/decisions/0001,
 * 0002, 0005).
 *
 * Guest: RouteReader::locate, record_at, read_records, visit_lane. Broker: RouteWriter::append,
 * link, evict_head, accept_head, retire_passed. Each chunk holds one record and the jump behind it.
 * Chunks of evicted records are used again at once, those of claimed ones never: that is
 * reclamation.pml. A place is 2 * chunk + 1 for the record, + 2 for the chunk's end (the jump). */
#define PROCESSES 2
#ifndef MESSAGES
#define MESSAGES 3
#endif
#define CHUNKS 3
#define HEAD 0                    /* sync: lane-head */
#define TAIL 1                    /* sync: lane-tail */
#ifdef WITHOUT_SECOND_FLOOR
#define FLOOR(count) 2
#else
#define FLOOR(count) (2 + (count) % 2) /* sync: lane-floor */
#endif
#define POSITION(which) (4 + which)    /* the guest's */
#define RECORD(chunk) (6 + chunk)      /* count + 1 of the record in it */
#define JUMP(chunk) (6 + CHUNKS + chunk)
#define WORDS (6 + 2 * CHUNKS)
#define STORES 2
#include "store_buffer.pml"
#define BROKER 0
#define GUEST 1
#define MOST_QUEUED 2

#define PACK(count, place) ((count) * 16 + (place))
#define IS_FOR(word, count) ((word) / 16 == (count) && (word) % 16 != 0)

bool broker_killed, worker_killed, broker_done;
bool delivered[MESSAGES];
bool evicted[MESSAGES];
byte counted_delivered, counted_evicted;
byte chunk_of[MESSAGES]; /* the broker's private index, + 1 */
bool pinned[CHUNKS];

#define GIVE(fate, count) assert(!delivered[count] && !evicted[count]); fate[count] = true

/* RouteWriter::accept_head: what the guest has claimed. Its chunks are not free. */
inline accept_head(seen) {
  d_step {
    assert(seen >= head && seen <= tail);
    do
    :: head < seen ->
       pinned[chunk_of[head] - 1] = true;
       counted_delivered++;
       head++
    :: else -> break
    od
  }
}
/* A chunk is free when the head is strictly behind it: whoever stands at its end needs its jump. */
#ifdef WITHOUT_KEPT_JUMP
#define PASSED(count) (count < head)
#else
#define PASSED(count) (count + 1 < head)
#endif
inline take_free_chunk() {
  d_step {
    free = 0;
    do
    :: free < CHUNKS ->
       index = 0;
       do
       :: index < tail && !(chunk_of[index] == free + 1 && !PASSED(index)) -> index++
       :: else -> break
       od;
       if
       :: !pinned[free] && index == tail -> break
       :: else -> free++
       fi
    :: else -> break
    od;
    index = 0
  }
}

proctype broker() {
  byte head = 0;
  byte tail = 0;
  byte free = 0;
  byte index = 0;
  byte seen = 0;
  bool done = false;
  {
    do
    :: tail < MESSAGES && tail - head < MOST_QUEUED -> /* append */
       load(BROKER, HEAD, seen);
       accept_head(seen);
       seen = 0;
       take_free_chunk();
       if
       :: free < CHUNKS ->
          store(BROKER, RECORD(free), tail + 1);
          if
          :: tail == 0 -> release(BROKER, FLOOR(0), PACK(0, 2 * free + 1)) /* sync: lane-floor */
          :: else -> store(BROKER, JUMP(chunk_of[tail - 1] - 1), 2 * free + 1)
          fi;
          d_step { chunk_of[tail] = free + 1; tail++; free = 0 };
          release(BROKER, TAIL, tail) /* sync: lane-tail */
       :: else -> free = 0; break /* the segment is full */
       fi
    :: head < tail -> /* evict_head */
       load(BROKER, HEAD, seen);
       accept_head(seen);
       seen = head;
       done = false;
       do
       :: head != tail && !done ->
#ifndef WITHOUT_FLOOR_FIRST
          release(BROKER, FLOOR(head + 1), /* sync: lane-floor */
                  PACK(head + 1, (head + 1 == tail -> 2 * chunk_of[head]
                                                   : 2 * chunk_of[head + 1] - 1)));
#endif
#ifdef WITHOUT_EXCHANGE
          load(BROKER, HEAD, seen);
          done = seen == head;
          if
          :: done -> store(BROKER, HEAD, head + 1)
          :: else
          fi;
#else
          seen = head;
          atomic {
            compare_exchange(BROKER, HEAD, seen, head + 1, done); /* sync: lane-head */
#endif
            if
            :: done -> GIVE(evicted, head); counted_evicted++
            :: else
            fi
#ifndef WITHOUT_EXCHANGE
          }
#endif
          ;
          if
          :: done ->
#ifdef WITHOUT_FLOOR_FIRST
             release(BROKER, FLOOR(head + 1), PACK(head + 1,
                     (head + 1 == tail -> 2 * chunk_of[head] : 2 * chunk_of[head + 1] - 1)));
#endif
             head++
          :: else -> accept_head(seen)
          fi
       :: else -> break
       od;
       seen = 0;
       done = false
    :: tail > 0 -> break
    od
  } unless { broker_killed };
  EMPTIED(BROKER);
  if
  :: !broker_killed -> /* R30: what the broker counts adds up */
     load(BROKER, HEAD, seen);
     accept_head(seen);
     assert(counted_delivered + counted_evicted == head)
  :: else
  fi;
  broker_done = true
}

/* record_at: the chunk of record `count` that is found at `place`, or 0. */
inline record_at(count) {
  if
  :: place != 0 && place % 2 == 0 -> load(GUEST, JUMP(place / 2 - 1), place)
  :: else
  fi;
  if
  :: place != 0 -> load(GUEST, RECORD(place / 2), seen); found = (seen == count + 1 -> place / 2 + 1 : 0)
  :: else -> found = 0
  fi;
  seen = 0
}

/* One worker after the other, as the drain mutex has it; the first may die anywhere. */
proctype workers() {
  byte head = 0;
  byte tail = 0;
  byte next = 0;
  byte place = 0;
  byte seen = 0;
  byte found = 0;
  byte spare = 0;
  byte first_chunk = 0;
  bool done = false;
  {
again:
    do
    ::
       load(GUEST, HEAD, head); /* sync: lane-head */
       load(GUEST, TAIL, tail); /* sync: lane-tail */
       if
       :: head == tail ->
          if
          :: broker_done && memory[HEAD] == memory[TAIL] -> break
          :: memory[HEAD] != memory[TAIL] /* the doorbell */
          fi
       :: else ->
          load(GUEST, FLOOR(head), place); /* locate.  sync: lane-floor */
          spare = 0;
          if
          :: IS_FOR(place, head)
          :: else ->
             load(GUEST, POSITION(0), place);
             if
             :: IS_FOR(place, head)
             :: else -> load(GUEST, POSITION(1), place)
             fi
          fi;
          if
          :: IS_FOR(place, head) -> place = place % 16
          :: else -> place = 0
          fi;
          next = head;
          do /* read_records */
          :: next < tail ->
             record_at(next);
             if
             :: found == 0 -> break
             :: else ->
                if
                :: next == head -> first_chunk = found
                :: else
                fi;
                place = 2 * found; /* the end of its chunk */
                next++;
                if
                :: true
                :: true -> break /* the budget of the batch is full */
                fi
             fi
          :: else -> found = 1; break
          od;
          if
          :: found == 0 -> /* evicted under our eyes, or corrupt */
             load(GUEST, HEAD, seen);
             assert(seen != head);
             seen = 0
          :: else ->
#ifndef WITHOUT_SECOND_POSITION
             load(GUEST, POSITION(0), seen);
             spare = IS_FOR(seen, head);
#endif
             store(GUEST, POSITION(spare), PACK(next, place));
             seen = head;
             atomic {
               compare_exchange(GUEST, HEAD, seen, next, done); /* sync: lane-head */
               if
               :: done ->
                  seen = head;
                  do
                  :: seen < next -> GIVE(delivered, seen); seen++
                  :: else -> break
                  od
               :: else
               fi;
               seen = 0
             };
             if
             :: done -> /* what was read before the claim is what was claimed */
                assert(memory[RECORD(first_chunk - 1)] == head + 1)
             :: else
             fi;
             done = false
          fi
       fi;
       d_step { head = 0; tail = 0; next = 0; place = 0; found = 0; spare = 0; first_chunk = 0 }
    od;
    seen = 0; /* the survivor has met every message */
    do
    :: seen < memory[TAIL] -> assert(delivered[seen] || evicted[seen]); seen++
    :: else -> break
    od
  } unless { worker_killed };
  if
  :: worker_killed -> /* the mutex is robust: the next one has it when nothing is delayed */
     EMPTIED(GUEST);
     worker_killed = false;
     head = 0; tail = 0; next = 0; place = 0; seen = 0; found = 0; spare = 0; first_chunk = 0;
     done = false;
     goto again
  :: else
  fi
}

init {
  atomic {
    run store_buffer(BROKER);
    run store_buffer(1);
    run broker();
    run workers()
  };
  if
  :: broker_killed = true
  :: skip
  fi;
  if
  :: worker_killed = true
  :: skip
  fi
}
