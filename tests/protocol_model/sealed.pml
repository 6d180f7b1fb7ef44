/* A sealed route over broker deaths. Its segment is a memfd that the next broker cannot read: what
 * was pushed into it the guest has to tell, and until the guest is back messages wait in a named
 * interim segment, from which they are filled into the next sealed one (docs/decisions/0050,
 * "Sealed routes").
 *
 * Broker: adoption, PushedBefore, the fill at the resume, the claim. Guest: resume, drain. One
 * lane, one publisher whose message without a receipt is sent again. The table's entry is one word
 * here, see adoption.pml; nothing is evicted. */
#ifndef LIVES
#define LIVES 4
#endif
#define MESSAGES 3
#define NONE 7

/* By the life that made it. A mark: the route has all messages up to that number. */
byte interim[LIVES * MESSAGES], interim_tail[LIVES], interim_mark[LIVES];
byte sealed[LIVES * MESSAGES], sealed_tail[LIVES], sealed_mark[LIVES]; /* the guest's to read */
bool opened[LIVES];
#define AT(life, n) ((life) * MESSAGES + (n))
/* The newest push stands in the lane, what came from earlier segments in the carried marks. */
#define MARK(life)                                                                             \
  (sealed_tail[life] > 0 && sealed[AT(life, sealed_tail[life] - 1)] > sealed_mark[life]        \
       -> sealed[AT(life, sealed_tail[life] - 1)] : sealed_mark[life])
#define INTERIM_MARK(life)                                                                     \
  (interim_tail[life] > 0 && interim[AT(life, interim_tail[life] - 1)] > interim_mark[life]    \
       -> interim[AT(life, interim_tail[life] - 1)] : interim_mark[life])

/* The table's entry. The segment is the sealed one if claimed == epoch, else the interim one. */
byte epoch, claimed;
byte receipts;

#define PUSHED_BEFORE 1 /* mark */
#define RESUME 2
#define ACKNOWLEDGE 3
chan to_broker = [3] of { byte, byte };
chan to_guest = [1] of { byte, byte }; /* Subscribed: the sealed segment, and the epoch claimed */
byte living = 0;
byte connected = 0;
byte crashes;
bool killed;
byte taken; /* for the assertions */

inline adopt() {
  d_step {
    old = epoch;
    if
    :: claimed < old -> interim_mark[life] = INTERIM_MARK(old)
    :: else /* nobody here can read what the sealed one holds */
    fi
  };
  do
  :: claimed < old && interim_tail[life] < interim_tail[old] ->
     d_step {
       interim[AT(life, interim_tail[life])] = interim[AT(old, interim_tail[life])];
       interim_tail[life] = interim_tail[life] + 1
     }
  :: else -> break
  od;
  epoch = life;
  d_step { forget_interim(old); old = 0 }
}
inline forget_interim(which) {
  index = 0;
  do
  :: index < interim_tail[which] -> interim[AT(which, index)] = 0; index++
  :: else -> break
  od;
  interim_tail[which] = 0; interim_mark[which] = 0; index = 0
}

/* The oldest message without a receipt; it may have been pushed by a broker that is dead. */
inline push() {
  if
  :: claimed == life ->
     if
     :: sealed_mark[life] >= receipts + 1 /* duplicates_dropped */
     :: else ->
        d_step {
          sealed[AT(life, sealed_tail[life])] = receipts + 1;
          sealed_tail[life] = sealed_tail[life] + 1
        }
     fi
  :: else ->
     if
     :: interim_mark[life] >= receipts + 1
     :: else ->
        d_step {
          interim[AT(life, interim_tail[life])] = receipts + 1;
          interim_tail[life] = interim_tail[life] + 1
        }
     fi
  fi;
  pushed = true
}

inline fill() {
#ifndef WITHOUT_CARRYING
  d_step {
    sealed_mark[life] = interim_mark[life];
    if
    :: mark > sealed_mark[life] -> sealed_mark[life] = mark
    :: else
    fi
  };
#endif
  do
  :: index < interim_tail[life] ->
     d_step {
       if
       :: interim[AT(life, index)] <= mark /* duplicates_dropped */
       :: else ->
          sealed[AT(life, sealed_tail[life])] = interim[AT(life, index)];
          sealed_tail[life] = sealed_tail[life] + 1
       fi;
       index++
     }
  :: else -> break
  od;
  index = 0;
  claimed = life;
  opened[life] = true;
  d_step { forget_interim(life); mark = 0 }
}

proctype broker() {
  byte life = 0, old = 0, index = 0;
  byte mark = 0; /* the guest's word */
  byte value = 0;
  bool pushed = false; /* the receipt is due */
again:
  {
    if
    :: life > 0 -> adopt()
    :: else
    fi;
    living = life;
end_serving:
    do
    :: !pushed && receipts < MESSAGES -> push()
    :: pushed -> d_step { receipts++; pushed = false }
    :: to_broker?PUSHED_BEFORE, value ->
       d_step {
         if
         :: value > mark -> mark = value
         :: else
         fi;
         value = 0
       }
    :: to_broker?RESUME, _ -> to_guest!life, claimed
    :: to_broker?ACKNOWLEDGE, _ -> fill()
    od
  } unless { killed };
  d_step {
    killed = false;
    living = NONE;
    life++;
    do
    :: nempty(to_broker) -> to_broker?value, index
    :: empty(to_broker) -> break
    od;
    old = 0; index = 0; mark = 0; value = 0; pushed = false
  };
  goto again
}

inline may_drain(segment) {
  d_step {
    drainable[segment] = true;
    newest = segment;
    mark = 0;
    if
    :: reading == NONE -> reading = segment
    :: else
    fi
  }
}
inline say(kind, mark_told) {
  if
  :: connected == living -> to_broker!kind, mark_told
  :: else
  fi
}

proctype guest() {
  byte reading = 0, head = 0;
  byte newest = 0; /* segment that it has for certain */
  byte mark = 0;   /* of it, when it is no longer mapped */
  byte filling = NONE;
  byte segment = 0, value = 0;
  bool drainable[LIVES];
  drainable[0] = true;
end:
  do
  :: d_step {
       reading != NONE && head < sealed_tail[reading] ->
       assert(sealed[AT(reading, head)] == taken + 1); /* none twice, none left out, in order */
       taken++;
       head++
     }
  :: d_step { /* to the end: its broker is dead */
       reading != NONE && connected != NONE && reading < connected &&
       head == sealed_tail[reading] ->
       drainable[reading] = false;
#ifndef WITHOUT_KEPT_MARKS
       mark = (reading == newest -> MARK(reading) : mark);
#endif
       segment = 0;
       do
       :: segment < sealed_tail[reading] -> sealed[AT(reading, segment)] = 0; segment++
       :: else -> break
       od;
       sealed_tail[reading] = 0; sealed_mark[reading] = 0;
       segment = 0;
       do /* a slow guest may have several */
       :: segment < LIVES && !drainable[segment] -> segment++
       :: else -> break
       od;
       reading = (segment < LIVES -> segment : NONE);
       head = 0; segment = 0
     }
  :: to_guest?segment, value ->
     d_step {
       if
#ifndef WITHOUT_SETTLING
       :: filling != NONE && value >= filling -> may_drain(filling)
#endif
       :: else
       fi;
       filling = segment;
       segment = 0;
       value = (drainable[newest] -> MARK(newest) : mark)
     };
#ifdef WITHOUT_ACKNOWLEDGEMENT_LAST
     atomic { say(ACKNOWLEDGE, 0) };
#endif
#if !defined(WITHOUT_MARKS) && !defined(WITHOUT_WAITING)
     atomic { say(PUSHED_BEFORE, value) };
#endif
     value = 0;
#ifndef WITHOUT_ACKNOWLEDGEMENT_LAST
     atomic { say(ACKNOWLEDGE, 0) }
#endif
  :: d_step { filling != NONE && opened[filling] -> may_drain(filling); filling = NONE }
  :: atomic {
       connected == NONE && living != NONE ->
       connected = living;
#ifdef WITHOUT_WAITING /* tells all that it maps, before it knows what was claimed */
       value = (drainable[newest] -> MARK(newest) : mark);
       value = (filling != NONE && MARK(filling) > value -> MARK(filling) : value);
       say(PUSHED_BEFORE, value);
       value = 0;
#endif
       say(RESUME, 0)
     }
  :: d_step {
       connected != NONE && connected != living ->
       connected = NONE;
       do
       :: nempty(to_guest) -> to_guest?segment, value
       :: empty(to_guest) -> break
       od;
       segment = 0; value = 0
     }
  od
}

init {
  opened[0] = true;
  atomic { run broker(); run guest() };
  do
  :: crashes < LIVES - 1 && !killed -> d_step { crashes++; killed = true }
  :: true -> break
  od;
  timeout -> assert(receipts == MESSAGES && taken == MESSAGES) /* at rest */
}
