/* One route over broker deaths: the table always names a complete segment, and the guest
 * gets or is told of each message once, in order, whether or not it came back in between
 * (docs/decisions/0050, "What the next broker does", R29).
 *
 * Broker: adoption, the copying forward of what a guest never had, the claim of a segment by its
 * guest, RouteWriter::append and evict_head. Guest: resume, drain of the old segment to its end.
 * One lane. That a message is pushed once is evidence.pml: here a push is its tail. */
#ifndef LIVES
#define LIVES 4
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#define MOST_QUEUED 1
#define NONE 7

/* The route's two lines in the table: of those that are whole, `which` is the newer one. */
byte which;
byte epoch[2];
byte name[2]; /* of the segment: the life that made it */
byte claimed; /* the guest has this epoch's segment for certain, and all that was filled into it */
#define CURRENT name[which]

/* Segments, by the life that made them. */
byte record[LIVES * MESSAGES]; /* by count: number of the message */
byte tail[LIVES];
byte floor[LIVES];      /* oldest record that was not evicted: in the segment */
byte head[LIVES];       /* in the cursors, which the next broker cannot see */
bool activated[LIVES];  /* the log tells of the lane */
bool complete[LIVES];
bool opened[LIVES];     /* no longer `filling` */
#define RECORD(life, n) record[(life) * MESSAGES + (n)]

#define RESUME 1
#define ACKNOWLEDGE 2
chan to_broker = [1] of { byte };
chan to_guest = [1] of { byte, byte }; /* Subscribed: the segment, and the epoch claimed */
byte living = NONE; /* the life that listens */
byte connected = NONE;
byte crashes;
bool killed;
/* For the assertions. */
byte published, taken, told, evicted;

/* The other line is written, its state last; then the old one is erased. */
inline change_entry() {
#ifdef WITHOUT_SECOND_LINE /* the words in place, as if a sequence counter guarded them */
  epoch[which] = life;
  CURRENT = life
#else
  d_step { epoch[1 - which] = life; name[1 - which] = life };
  d_step { which = 1 - which; epoch[1 - which] = 0; name[1 - which] = 0 }
#endif
}

/* Counts stay as they are: what was evicted there is told by the first record that is left. */
inline copy_forward() {
  index = floor[old];
  do
  :: index < tail[old] -> RECORD(life, index) = RECORD(old, index); index++
  :: else -> break
  od;
  index = 0;
#ifdef WITHOUT_KEPT_COUNTS
  d_step {
    do
    :: floor[old] + index < tail[old] ->
       RECORD(life, index) = RECORD(old, floor[old] + index);
       index++
    :: else -> break
    od;
    tail[life] = index; index = 0
  };
#else
  d_step { floor[life] = floor[old]; head[life] = floor[old] };
  tail[life] = tail[old];
#endif
  activated[life] = tail[life] > head[life]
}

inline adopt() {
  assert(complete[CURRENT] && epoch[which] == CURRENT);
  old = CURRENT;
#ifdef WITHOUT_SWITCH_LAST
  change_entry();
#endif
  if
  :: claimed < old -> /* the guest did not come back in time */
#ifdef WITHOUT_COPYING
     skip
#else
     copy_forward()
#endif
  :: else
  fi;
  complete[life] = true;
#ifndef WITHOUT_SWITCH_LAST
  change_entry();
#endif
  old = 0
}

inline push() {
  d_step { /* evict_head: one exchange, the guest may be faster */
    if
    :: tail[life] - head[life] >= MOST_QUEUED -> head[life] = head[life] + 1; evicted++
    :: else
    fi
  };
  if
  :: floor[life] != head[life] -> floor[life] = head[life]
  :: else
  fi;
  d_step {
    RECORD(life, tail[life]) = published + 1;
    tail[life] = tail[life] + 1;
    published++
  };
  if
  :: !activated[life] -> activated[life] = true
  :: else
  fi
}

proctype broker() {
  byte life = 0, old = 0, index = 0, value = 0;
again:
  {
    if
    :: life > 0 -> adopt()
    :: else
    fi;
    living = life;
end_serving:
    do
    :: published < MESSAGES -> push()
    :: to_broker?RESUME ->
#ifdef WITHOUT_ACKNOWLEDGEMENT
       d_step { value = claimed; claimed = life };
       to_guest!life, value;
       value = 0;
       opened[life] = true
#else
       to_guest!life, claimed
    :: to_broker?ACKNOWLEDGE ->
#ifdef WITHOUT_CLAIM_FIRST
       opened[life] = true;
       claimed = life
#else
       claimed = life;
       opened[life] = true
#endif
#endif
    od
  } unless { killed };
  d_step {
    killed = false;
    living = NONE;
    life++;
    do
    :: nempty(to_broker) -> to_broker?value
    :: empty(to_broker) -> break
    od;
    old = 0; index = 0; value = 0
  };
  goto again
}

inline take(segment) { /* one exchange */
  d_step {
    head[segment] < tail[segment] ->
    assert(head[segment] >= expected);
    told = told + head[segment] - expected; /* R29 */
    taken++;
    assert(RECORD(segment, head[segment]) == taken + told); /* none twice or left out, in order */
    head[segment] = head[segment] + 1;
    expected = head[segment];
    if
    :: head[segment] == tail[segment] -> activated[segment] = false
    :: else
    fi
  }
}
inline forget_content(segment) {
  expected = 0;
  do
  :: expected < tail[segment] -> RECORD(segment, expected) = 0; expected++
  :: else -> break
  od;
  head[segment] = 0; tail[segment] = 0; floor[segment] = 0; activated[segment] = false
}
inline next_segment() {
  reading = 0;
  do
  :: reading < LIVES && !drainable[reading] -> reading++
  :: else -> break
  od;
  if
  :: reading == LIVES -> reading = NONE
  :: else
  fi;
  expected = 0
}
inline may_drain(segment) {
  drainable[segment] = true;
#ifdef WITHOUT_END
  reading = segment;
  expected = 0
#else
  if
  :: reading == NONE -> next_segment()
  :: else
  fi
#endif
}
/* What it sends to a dead broker is lost. */
inline say(kind) {
  if
  :: connected == living -> to_broker!kind
  :: else
  fi
}

/* The guest knows that a broker is dead when a later one has answered: that one has the lock. */
#ifdef WITHOUT_SWEEP
#define AT_END(segment) (segment < known && !activated[segment])
#else
#define AT_END(segment) (segment < known && head[segment] == tail[segment])
#endif

proctype guest() {
  byte reading = 0;
  byte expected = 0; /* in the cursors of the segment that is read */
  byte known = 0;
  byte filling = NONE; /* a segment that it maps and must not drain yet */
  byte segment = 0;
  byte value = 0;
  bool drainable[LIVES];
  drainable[0] = true;
end:
  do
  :: reading != NONE && activated[reading] && head[reading] < tail[reading] ->
     if
     :: take(reading)
     :: head[reading] == tail[reading] /* evicted under our eyes */
     fi
  :: d_step {
       reading != NONE && activated[reading] && head[reading] == tail[reading] ->
       activated[reading] = false
     }
  :: reading != NONE && reading < known && head[reading] < tail[reading] -> /* the sweep */
#ifdef WITHOUT_SWEEP
     skip
#else
     take(reading)
#endif
  :: reading != NONE && AT_END(reading) ->
     d_step {
#ifndef WITHOUT_REMAINDER
       told = told + tail[reading] - expected;
#endif
       drainable[reading] = false;
       forget_content(reading); /* nobody looks there any more */
       next_segment()
     }
  :: to_guest?segment, value ->
     d_step {
       if
#ifndef WITHOUT_THE_BROKERS_WORD /* it was claimed, and its broker died before it opened it */
       :: filling != NONE && value >= filling -> may_drain(filling)
#endif
       :: else /* thrown away */
       fi;
#ifdef WITHOUT_FILLING
       may_drain(segment);
#else
       filling = segment;
#endif
       segment = 0;
       value = 0
     };
     atomic { say(ACKNOWLEDGE) }
  :: d_step {
       filling != NONE && opened[filling] ->
       may_drain(filling);
       filling = NONE
     }
  :: atomic {
       connected == NONE && living != NONE ->
       connected = living;
       known = living;
       say(RESUME)
     }
  :: d_step { /* the hang-up; what was sent before may have been read */
       connected != NONE && connected != living ->
       connected = NONE;
       do
       :: nempty(to_guest) -> to_guest?segment, value
       :: empty(to_guest) -> break
       od;
       segment = 0;
       value = 0
     }
  od
}

init {
  d_step {
    complete[0] = true; opened[0] = true;
    connected = 0; living = 0
  };
  atomic { run broker(); run guest() };
  do
  :: crashes < LIVES - 1 && !killed -> d_step { crashes++; killed = true }
  :: true -> break
  od;
  timeout -> /* at rest */
    assert(published == MESSAGES && taken + told == MESSAGES && told <= evicted)
}
