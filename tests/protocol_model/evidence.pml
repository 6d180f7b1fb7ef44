/* What the next broker knows of the messages that the last one had pushed without a receipt: each
 * message with a receipt went into each of its routes once, and none twice, over two crashes
 * (docs/decisions/0050, "Who is asked").
 *
 * Broker: adoption (the list of pushes that is carried forward), OutboxService (one message of a
 * principal in flight), Route::push, RouteWriter::publish_record (the lane's newest push), giving
 * back of lanes. Two routes X and Y, each with one lane slot that principals P and Q contend for.
 * Guests come back in any order: an outbox that is not back is one that is not served yet. How
 * guests read is adoption.pml, how publishers re-send is resend.pml. */
#define LIVES 3
#define ROUTES 2
#define OUTBOXES 3 /* A and B of principal P, C of principal Q */
#define A 0
#define B 1
#define C 2
#define LAST(o) (o == A -> 2 : 1)
#define PRINCIPAL(o) (o == C -> 2 : 1)
#define ADMITTED(o) (o == C -> 1 : ROUTES) /* Y does not admit Q */
#define MESSAGE(r, o, n) ((r) * 4 + (o == A -> (n) - 1 : (o) + 1))
#define SEGMENT(r, life) ((r) * LIVES + (life))
#define MOST_QUEUED 1

/* Shared memory that outlives a broker. */
byte entry[ROUTES]; /* the table's: which life's segment */
byte owner[ROUTES * LIVES], head[ROUTES * LIVES], tail[ROUTES * LIVES]; /* the lane slot */
/* newest_push: one word with the count, it names the record with the others. sync: newest-push */
byte count[ROUTES * LIVES], outbox[ROUTES * LIVES], number[ROUTES * LIVES];
byte carried[ROUTES * LIVES * OUTBOXES]; /* of earlier lives: newest number that the route has */
byte receipts[OUTBOXES];
/* For the assertions. */
bool pushed[ROUTES * 4], refused[ROUTES * 4];
byte crashes;
bool killed, done;
bool gone; /* the publisher of outbox A has died */

#define CARRIED(s, o) carried[(s) * OUTBOXES + (o)]
#define COMMITTED(s, o) (outbox[s] == (o) + 1 && tail[s] > count[s])

/* For one route: what the next life needs to know, then the switch to it. */
inline adopt(r) {
  s = SEGMENT(r, life);
  old = SEGMENT(r, entry[r]);
#ifdef WITHOUT_SWITCH_LAST
  entry[r] = life;
#endif
  o = 0;
  do
  :: o < OUTBOXES ->
     d_step {
#ifndef WITHOUT_CARRYING
       CARRIED(s, o) = CARRIED(old, o);
#endif
       if
       :: COMMITTED(old, o) && number[old] > CARRIED(s, o) -> CARRIED(s, o) = number[old]
       :: else
       fi;
       o++
     }
  :: else -> break
  od;
  o = 0;
  d_step {
    entry[r] = life;
    /* Nobody looks there any more. */
    owner[old] = 0; head[old] = 0; tail[old] = 0; count[old] = 0; outbox[old] = 0;
    number[old] = 0; CARRIED(old, A) = 0; CARRIED(old, B) = 0; CARRIED(old, C) = 0
  }
  d_step { s = 0; old = 0 }
}

#define IN_FLIGHT(o) (routes_done[o] != 0)
#define LEFT(o) (receipts[o] < LAST(o) && !(o == A && gone))
#ifdef WITHOUT_ONE_IN_FLIGHT
#define MAY_BEGIN(o) (!IN_FLIGHT(o) && LEFT(o))
#else
#define MAY_BEGIN(o) (!IN_FLIGHT(o) && LEFT(o) && (o == C || !IN_FLIGHT(1 - o)))
#endif
#ifdef WITHOUT_PIN
#define PINNED(r, principal) false
#else
#define PINNED(r, principal) (pins[(r) * 2 + (principal) - 1])
#endif
#define PIN(r, o) pins[(r) * 2 + PRINCIPAL(o) - 1]

/* Route::place: makes room. `room` is false when the slot is another's and cannot be given back. */
inline place(r, o) {
  d_step {
    room = true;
    if
    :: owner[s] == PRINCIPAL(o) && tail[s] - head[s] >= MOST_QUEUED -> head[s] = head[s] + 1
    :: owner[s] != PRINCIPAL(o) ->
       head[s] = tail[s];
       if
       :: owner[s] != 0 && PINNED(r, owner[s]) -> room = false
       :: else -> owner[s] = PRINCIPAL(o)
       fi
    :: else
    fi
  }
}

inline note_push(o) {
#ifdef WITHOUT_ONE_WORD
  outbox[s] = o + 1;
  number[s] = n;
  count[s] = tail[s];
#else
  d_step { count[s] = tail[s]; outbox[s] = o + 1; number[s] = n };
#endif
#ifdef WITHOUT_LIST /* carried in the lane's words instead: overwritten by its next push */
  CARRIED(s, (o == C -> C : A)) = 0;
  CARRIED(s, (o == C -> C : B)) = 0;
#endif
}
inline move_tail(r, o) {
  d_step {
    tail[s] = tail[s] + 1;
    assert(!pushed[MESSAGE(r, o, n)]); /* nothing twice */
    pushed[MESSAGE(r, o, n)] = true;
    PIN(r, o) = true
  }
}

/* The next route of o's message; routes_done counts from 1. */
inline visit(o) {
  d_step {
    r = routes_done[o] - 1;
    s = SEGMENT(r, life);
    n = receipts[o] + 1
  };
  if
  :: CARRIED(s, o) >= n /* duplicates_dropped */
  :: else ->
     place(r, o);
     if
     :: !room -> refused[MESSAGE(r, o, n)] = true
     :: else ->
#ifdef WITHOUT_INTENT_FIRST
        move_tail(r, o);
        note_push(o)
#else
        note_push(o);
        move_tail(r, o)
#endif
     fi
  fi;
  d_step {
    routes_done[o] = routes_done[o] + 1;
    r = 0; s = 0; n = 0; room = false
  }
}

#ifdef WITHOUT_LAST_ROUTE
#define ALL_HAVE_IT(o) (routes_done[o] >= ADMITTED(o))
#else
#define ALL_HAVE_IT(o) (routes_done[o] > ADMITTED(o))
#endif
inline acknowledge(o) {
  d_step {
    n = receipts[o] + 1;
    receipts[o] = n;
    r = 0;
    do
    :: r < ADMITTED(o) ->
       assert(pushed[MESSAGE(r, o, n)] || refused[MESSAGE(r, o, n)]); /* R06 */
       PIN(r, o) = false;
       r++
    :: else -> break
    od;
    routes_done[o] = 0;
    r = 0; n = 0
  }
}

/* OutboxService::remove, after the hang-up. Nobody sends its message again. */
inline forget_publisher() {
  d_step {
    gone = true;
    r = 0;
    do
    :: r < ROUTES ->
       if
       :: IN_FLIGHT(A) -> PIN(r, A) = false
       :: else
       fi;
       CARRIED(SEGMENT(r, life), A) = 0;
       r++
    :: else -> break
    od;
    routes_done[A] = 0;
    r = 0
  }
}

/* Maintenance, or a look at the reports: the guest has drained the lane, and it is given back. */
inline give_back(r) {
  d_step {
    s = SEGMENT(r, life);
    if
    :: owner[s] != 0 ->
       head[s] = tail[s];
       if
       :: !PINNED(r, owner[s]) -> owner[s] = 0
       :: else
       fi
    :: else
    fi;
    s = 0
  }
}

#define SERVE(o)                                                                               \
  :: MAY_BEGIN(o) -> routes_done[o] = 1                                                        \
  :: IN_FLIGHT(o) && routes_done[o] <= ADMITTED(o) -> visit(o)                                 \
  :: IN_FLIGHT(o) && ALL_HAVE_IT(o) -> acknowledge(o)

proctype broker() {
  byte life = 0;
  byte routes_done[OUTBOXES]; /* 0: not in flight */
  bool pins[ROUTES * 2];      /* an unacknowledged message of that principal went in there */
  byte r = 0, o = 0, s = 0, old = 0, n = 0;
  bool room = false;
again:
  {
    if
    :: life > 0 -> adopt(0); adopt(1)
    :: else
    fi;
    do
    SERVE(A)
    SERVE(B)
    SERVE(C)
    :: owner[SEGMENT(0, life)] != 0 -> give_back(0)
    :: !gone -> forget_publisher()
    :: !LEFT(A) && !LEFT(B) && !LEFT(C) -> break
    od;
    done = true
  } unless { killed };
  if
  :: killed ->
     d_step {
       killed = false;
       life++;
       r = 0;
       do
       :: r < OUTBOXES -> routes_done[r] = 0; r++
       :: else -> break
       od;
       r = 0;
       do
       :: r < ROUTES * 2 -> pins[r] = false; r++
       :: else -> break
       od;
       r = 0; o = 0; s = 0; old = 0; n = 0; room = false
     };
     goto again
  :: else
  fi
}

init {
  run broker();
  do
  :: crashes < LIVES - 1 && !killed && !done -> d_step { crashes++; killed = true }
  :: done -> break
  :: crashes == LIVES - 1 -> break
  od
}
