/* Reclamation: no chunk is written again while a batch or a held message refers to it, whoever dies
 * (docs/decisions/0006).
 *
 * Broker: ChunkReclaimer, RouteWriter::mark_claimed, add_chunk. Guest: RouteReader::take_ticket,
 * visit_lane, hold, release. One worker,
 * and another one after its death. One lane, one record in each chunk; where a record is found is
 * claim_evict.pml. Numbers have all their bits here. */
#define PROCESSES 3
#ifndef MESSAGES
#define MESSAGES 3
#endif
#define CHUNKS 1
#define HEAD 0                     /* sync: lane-head */
#define TAIL 1                     /* sync: lane-tail */
#define BATCHES 2                  /* sync: newest-batch (CursorHeader::batches) */
#define NEWEST 3                   /* sync: newest-batch (of the lane) */
#define TICKET(worker) (3 + worker) /* sync: ticket */
#define HOLD 6
#define RECORD(chunk) (7 + chunk)  /* count + 1 of the record in it */
#define WORDS (7 + CHUNKS)
#define STORES 2
#include "store_buffer.pml"
#define BROKER 0

byte chunk_of[MESSAGES]; /* chunk + 1; the guest finds it with the claim */
byte mutex;
bool killed;

proctype broker() {
  byte tail, head, seen, each, oldest, hold, free;
  byte used[CHUNKS];  /* count + 1 of the record in it, 0: free */
  byte stamp[CHUNKS]; /* of retired ones; 0: not retired */
  bool tickets_read;
end:
  do
  :: /* RouteWriter::observe */
     load(BROKER, HEAD, seen); /* sync: lane-head */
     if
     :: seen != head ->
        load(BROKER, NEWEST, oldest); /* sync: newest-batch */
        d_step {
          do
          :: head < seen -> stamp[chunk_of[head] - 1] = oldest; head++
          :: else -> break
          od;
          oldest = 0
        }
     :: else
     fi;
     seen = 0;
     /* reclaim */
     /* Its fence is left out: claims do not need it. */
#ifdef WITHOUT_TICKETS_FIRST
     load(BROKER, HOLD, hold);
#endif
     load(BROKER, TICKET(1), seen); /* sync: ticket */
     oldest = (seen != 0 -> seen : 255);
     load(BROKER, TICKET(2), seen); /* sync: ticket */
     oldest = (seen != 0 && seen < oldest -> seen : oldest);
#ifndef WITHOUT_TICKETS_FIRST
     load(BROKER, HOLD, hold);
#endif
     d_step {
       each = 0;
       do
       :: each < CHUNKS ->
          if
#ifdef WITHOUT_STAMP
          :: stamp[each] != 0 && hold != each + 1 ->
#else
#ifdef WITHOUT_STRICTLY_YOUNGER
          :: stamp[each] != 0 && stamp[each] <= oldest && hold != each + 1 ->
#else
          :: stamp[each] != 0 && stamp[each] < oldest && hold != each + 1 ->
#endif
#endif
             stamp[each] = 0; used[each] = 0
          :: else
          fi;
          each++
       :: else -> break
       od;
       each = 0; seen = 0; oldest = 0; hold = 0;
       free = (used[0] == 0 -> 0 : CHUNKS)
     };
     if
     :: free < CHUNKS && tail < MESSAGES -> /* append */
        store(BROKER, RECORD(free), tail + 1);
        d_step { chunk_of[tail] = free + 1; used[free] = tail + 1; tail++; free = 0 };
        release(BROKER, TAIL, tail) /* sync: lane-tail */
     :: else -> free = 0
     fi
  od
}

proctype worker(byte me) {
  byte head, tail, ticket, chunk, seen;
  bool done, holds;
  me == 1 || killed;
  {
end:
    do
    :: atomic { mutex == 0 -> mutex = me };
       load(me, BATCHES, ticket); /* take_ticket */
       ticket++;
#ifndef WITHOUT_TICKET
       release(me, TICKET(me), ticket); /* sync: ticket */
#endif
#ifndef WITHOUT_TICKET_BEFORE_CLAIM
       fence(me); /* sync: ticket */
#endif
       load(me, HEAD, head); /* sync: lane-head */
       load(me, TAIL, tail); /* sync: lane-tail */
       if
       :: head != tail ->
#ifndef WITHOUT_BATCH_FIRST
          release(me, NEWEST, ticket); /* sync: newest-batch */
#endif
          seen = head;
          d_step {
#ifndef WITHOUT_TICKET_BEFORE_CLAIM
            EMPTIED(me) ->
#endif
            done = memory[HEAD] == seen;
            memory[HEAD] = (done -> head + 1 : memory[HEAD]); /* sync: lane-head */
            chunk = (done -> chunk_of[head] : 0);
            seen = 0
          };
#ifdef WITHOUT_BATCH_FIRST
          release(me, NEWEST, ticket); /* sync: newest-batch */
#endif
          release(me, BATCHES, ticket) /* sync: newest-batch */
       :: else -> chunk = 0
       fi;
       atomic { EMPTIED(me) || head == tail -> ticket = 0 };
       d_step { EMPTIED(me) -> mutex = 0; tail = 0; done = false };
       if
       :: chunk != 0 -> /* a batch is out */
          assert(memory[RECORD(chunk - 1)] == head + 1);
          if
          :: me == 1 -> holds = true; release(me, HOLD, chunk) /* keep() */
          :: true
          fi;
          release(me, TICKET(me), 0); /* sync: ticket */
          if
          :: holds ->
             assert(memory[RECORD(chunk - 1)] == head + 1);
             holds = false;
             release(me, HOLD, 0)
          :: else
          fi
       :: else ->
          release(me, TICKET(me), 0);
          EMPTIED(me) && memory[HEAD] != memory[TAIL] /* sleeps until there is something */
       fi;
       d_step { chunk = 0; head = 0 }
    od
  } unless { killed && me == 1 };
  EMPTIED(me); /* a sweep by the other worker, and the robust mutex */
  atomic {
    memory[TICKET(1)] = 0;
    memory[HOLD] = 0;
    mutex = (mutex == me -> 0 : mutex)
  }
}

init {
  atomic {
    run store_buffer(BROKER);
    run store_buffer(1);
    run store_buffer(2);
    run broker();
    run worker(1);
    run worker(2)
  };
end:
  if
  :: killed = true
  :: skip
  fi
}
