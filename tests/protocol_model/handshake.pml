/* Attach, subscribe and resume with a token, over broker deaths, packets lost with a connection,
 * a guest that gives a connection up for want of an answer, and the guest's own death: who lives
 * keeps its route, nothing is left of who is dead, and no route that its guest does not know
 * (docs/decisions/0050, "Listen", "grace time").
 *
 * Broker: Session::on_hello, on_subscribe, ResumeRoute, hang-ups, the grace time. Guest:
 * Connection, attach, resume. Each connection has its own packets; the broker reads them in any
 * order. */
#ifndef LIVES
#define LIVES 3
#endif
#define CONNECTIONS 4
#define NONE 7
#define TIMEOUTS 1

mtype = { hello, subscribe, resume, acknowledge, welcome, subscribed, refused };
chan up[CONNECTIONS] = [2] of { mtype, byte };
chan down[CONNECTIONS] = [2] of { mtype, byte, byte };
bool left[CONNECTIONS];    /* the guest has closed it */
bool dropped[CONNECTIONS]; /* the broker has */
byte life_of[CONNECTIONS];
byte used; /* connections ever made */

/* The table: an entry for each connection over which the guest subscribed. */
#define SLOTS CONNECTIONS
bool live[SLOTS];
byte token[SLOTS];
byte claimed[SLOTS]; /* life + 1 */
byte tokens;         /* ever made */

byte owner[SLOTS];   /* connection + 1; the broker's own, lost with it */
byte living = 0;
byte crashes;
bool killed;
bool guest_dead;
byte mine = NONE; /* the guest's route */
bool told;        /* that its route has ended */
#ifdef WITHOUT_GRACE_PER_ROUTE /* the guest is back, so all is well */
#define WAITING(slot) (live[slot] && owner[slot] == 0 && (mine == NONE || owner[mine] == 0))
#else
#define WAITING(slot) (live[slot] && owner[slot] == 0)
#endif
#define ANY_WAITING (WAITING(0) || WAITING(1) || WAITING(2) || WAITING(3))

/* In one step each: all is done under the broker's mutex, and the table's entry is adoption.pml. */
inline end_route(slot) { live[slot] = false; owner[slot] = 0; token[slot] = 0; claimed[slot] = 0 }

/* A token has one session: the newest connection's. What the others still say is not read. */
inline on_hello(c, its_token) {
  d_step {
    known = false;
    slot = 0;
    do
    :: slot < SLOTS ->
       if
       :: its_token != 0 && live[slot] && token[slot] == its_token -> known = true
       :: else
       fi;
#ifndef WITHOUT_TAKING_OVER
       if
#ifdef WITHOUT_NEWER_WINS
       :: slot != c && its_token != 0 && of_session[slot] == its_token -> dropped[slot] = true
#else
       :: slot < c && its_token != 0 && of_session[slot] == its_token -> dropped[slot] = true
       :: slot > c && its_token != 0 && of_session[slot] == its_token -> dropped[c] = true
#endif
       :: else
       fi;
#endif
       slot++
    :: else -> break
    od;
    slot = 0;
    do
    :: slot < SLOTS ->
       if
       :: owner[slot] != 0 && dropped[owner[slot] - 1] -> owner[slot] = 0
       :: else
       fi;
       slot++
    :: else -> break
    od;
    of_session[c] = its_token;
    slot = 0
  };
  if
  :: d_step {
       its_token == 0 || !known ->
       tokens++;
       of_session[c] = tokens
     }
#ifdef WITHOUT_SAME_TOKEN
  :: d_step {
       its_token != 0 && known ->
       tokens++;
       of_session[c] = tokens;
       slot = 0;
       do
       :: slot < SLOTS ->
          if
          :: live[slot] -> token[slot] = tokens
          :: else
          fi;
          slot++
       :: else -> break
       od;
       slot = 0
     }
#else
  :: its_token != 0 && known
#endif
  fi;
  down[c]!welcome, (its_token != 0 && known -> 1 : 0), of_session[c];
  known = false
}

inline on_subscribe(c) {
  d_step {
    live[c] = true;
    token[c] = of_session[c];
    claimed[c] = life + 1;
    owner[c] = c + 1
  };
  down[c]!subscribed, c, 0
}

inline on_resume(c, its_slot) {
  if
  :: live[its_slot] && token[its_slot] == of_session[c] ->
     owner[its_slot] = c + 1;
     down[c]!subscribed, its_slot, 0
  :: else -> down[c]!refused, 0, 0
  fi
}

inline on_acknowledge(c, its_slot) {
  d_step {
    if
    :: owner[its_slot] == c + 1 -> claimed[its_slot] = life + 1
    :: else
    fi
  }
}

inline on_hang_up(c) {
  d_step {
    slot = 0;
    do
    :: slot < SLOTS ->
       if
#ifdef WITHOUT_OWNER
       :: live[slot] && of_session[c] != 0 && token[slot] == of_session[c] -> end_route(slot)
#else
       :: live[slot] && owner[slot] == c + 1 ->
#ifndef WITHOUT_GRACE_AGAIN /* it had not got the route yet: it may come back */
          if
          :: claimed[slot] != life + 1 -> owner[slot] = 0
          :: else -> end_route(slot)
          fi
#else
          end_route(slot)
#endif
#endif
       :: else
       fi;
       slot++
    :: else -> break
    od;
    dropped[c] = true;
    slot = 0
  }
}

#define READ(c)                                                                                \
  :: life_of[c] == life && !dropped[c] && up[c]?[hello, _] ->                                  \
     up[c]?hello, value; on_hello(c, value); value = 0                                         \
  :: life_of[c] == life && !dropped[c] && up[c]?[subscribe, _] ->                              \
     up[c]?subscribe, _; on_subscribe(c)                                                       \
  :: life_of[c] == life && !dropped[c] && up[c]?[resume, _] ->                                 \
     up[c]?resume, value; on_resume(c, value); value = 0                                       \
  :: life_of[c] == life && !dropped[c] && up[c]?[acknowledge, _] ->                            \
     up[c]?acknowledge, value; on_acknowledge(c, value); value = 0                              \
  :: life_of[c] == life && !dropped[c] && empty(up[c]) && left[c] -> on_hang_up(c)

proctype broker() {
  byte life = 0, slot = 0, value = 0;
  bool known = false;
  byte of_session[CONNECTIONS]; /* its token */
again:
  {
    living = life;
end_serving:
    do
    READ(0)
    READ(1)
    READ(2)
    READ(3)
    /* The grace time is long: when it is over, all that still moved has come to rest. */
    :: timeout && ANY_WAITING && !killed ->
       d_step {
         slot = 0;
         do
         :: slot < SLOTS && WAITING(slot) -> end_route(slot); break
         :: slot < SLOTS && !WAITING(slot) -> slot++
         :: else -> break
         od;
         slot = 0
       }
    od
  } unless { killed };
  d_step {
    killed = false;
    living = NONE;
    life++;
    slot = 0;
    do
    :: slot < SLOTS -> owner[slot] = 0; slot++
    :: else -> break
    od;
    slot = 0;
    do
    :: slot < CONNECTIONS -> of_session[slot] = 0; slot++
    :: else -> break
    od;
    slot = 0; value = 0; known = false
  };
  goto again
}

#define CUT (life_of[c] != living || dropped[c])

proctype guest() {
  byte c = NONE, my_token = 0, value = 0, timeouts = 0;
  {
    skip;
connecting:
    atomic { c = NONE; value = 0 };
end_connecting:
    atomic {
      living != NONE && used < CONNECTIONS ->
      c = used;
      used++;
      life_of[c] = living;
      up[c]!hello, my_token
    };
    if
    :: down[c]?welcome, value, my_token ->
       if
       :: value == 0 && mine != NONE -> told = true; mine = NONE; goto over
       :: else
       fi
    :: CUT && empty(down[c]) -> goto connecting
    :: timeouts < TIMEOUTS -> timeouts++; left[c] = true; goto connecting
    fi;
    atomic {
      if
      :: mine == NONE -> up[c]!subscribe, 0
      :: else -> up[c]!resume, mine
      fi
    };
    if
    :: atomic { down[c]?subscribed, mine, _ -> up[c]!acknowledge, mine }
    :: down[c]?refused, _, _ -> told = true; mine = NONE; goto over
    :: CUT && empty(down[c]) -> goto connecting
    :: timeouts < TIMEOUTS -> timeouts++; left[c] = true; goto connecting
    fi;
end_attached:
    CUT -> goto connecting
  } unless { guest_dead };
over:
  if
  :: guest_dead && c != NONE -> left[c] = true
  :: else
  fi
}

init {
  atomic { run broker(); run guest() };
  do
  :: crashes < LIVES - 1 && !killed -> d_step { crashes++; killed = true }
  :: !guest_dead -> guest_dead = true
  :: true -> break
  od;
  timeout && !ANY_WAITING -> /* at rest */
  if
  :: guest_dead -> assert(!live[0] && !live[1] && !live[2] && !live[3])
  :: else ->
     assert(!told && mine != NONE && live[mine] && claimed[mine] == living + 1);
     assert(live[0] + live[1] + live[2] + live[3] == 1)
  fi
}
