/* One route over broker deaths: the table's entry always names a complete segment, and the guest
 * gets or is told of each message once, in order, whether or not it came back in between
 * (docs/decisions/0050, "What the next broker does", R29).
 *
 * Broker: adoption, the copying forward of what a guest never got, the handing over of segments,
 * RouteWriter::append and evict_head. Guest: resume, drain of the old segment to its end. One lane.
 * That a message is pushed once is evidence.pml: here a push is its tail. */
#ifndef LIVES
#define LIVES 4
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef MOST_QUEUED
#define MOST_QUEUED 1
#endif
#define NONE 7
#define UNCLAIMED 0 /* no guest was ever sent it */
#define OFFERED 1   /* it may have been sent */
#define CLAIMED 2   /* the guest has said that it maps it */

/* The table's entry: the block that `which` names holds. */
byte which;
byte epoch[2];
byte current[2]; /* the segment's name */
byte state[2];
byte kept[2]; /* an older segment that was offered, and the guest has not said whether it has it */
#define CURRENT current[which]
#define STATE state[which]
#define KEPT kept[which]

/* Segments, by the life that made them. */
byte record[LIVES * MESSAGES]; /* by count: number of the message */
byte tail[LIVES];
byte floor[LIVES];      /* oldest record that was not evicted: in the segment */
byte head[LIVES];       /* in the cursors, which the next broker cannot see */
bool activated[LIVES];  /* the log tells of the lane */
bool complete[LIVES];
#define RECORD(life, n) record[(life) * MESSAGES + (n)]

#define RESUME 1
#define MAPPED 2
chan to_broker = [2] of { byte, byte };
chan to_guest = [2] of { byte };
byte living = NONE; /* the life that listens */
byte connected = NONE;
byte crashes;
bool killed;
/* For the assertions. */
byte published, taken, told, evicted;

/* The other block is written, then named. */
inline change_entry(segment, its_state, older) {
#ifdef WITHOUT_SECOND_BLOCK /* the words in place, as if a sequence counter guarded them */
  epoch[which] = segment;
  CURRENT = segment;
  STATE = its_state;
  KEPT = older;
#else
  d_step {
    epoch[1 - which] = segment;
    current[1 - which] = segment;
    state[1 - which] = its_state;
    kept[1 - which] = older
  };
  d_step {
    which = 1 - which;
    epoch[1 - which] = 0; current[1 - which] = 0; state[1 - which] = 0; kept[1 - which] = NONE
  }
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
    :: floor[old] + index < tail[old] -> RECORD(life, index) = RECORD(old, floor[old] + index); index++
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
  was = STATE;
  older = (STATE == OFFERED -> CURRENT : KEPT);
  assert(STATE == UNCLAIMED || KEPT == NONE);
#ifdef WITHOUT_KEEPING /* as if what was offered was claimed */
  older = NONE;
#endif
#ifdef WITHOUT_OFFERS /* as if what was offered was not */
  d_step {
    if
    :: was == OFFERED -> was = UNCLAIMED; older = NONE
    :: else
    fi
  };
#endif
#ifdef WITHOUT_SWITCH_LAST
  change_entry(life, UNCLAIMED, older);
#endif
  if
  :: was == UNCLAIMED ->
#ifdef WITHOUT_COPYING
     skip
#else
     copy_forward()
#endif
  :: else
  fi;
  complete[life] = true;
#ifndef WITHOUT_SWITCH_LAST
  change_entry(life, UNCLAIMED, older);
#endif
  d_step { old = 0; was = 0; older = 0 }
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

inline offer_current() {
#ifdef WITHOUT_OFFERED_FIRST
  to_guest!life;
  change_entry(life, OFFERED, KEPT)
#else
  change_entry(life, OFFERED, NONE);
  to_guest!life
#endif
}

proctype broker() {
  byte life = 0, old = 0, was = 0, older = 0, index = 0, value = 0;
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
    :: to_broker?RESUME, value -> /* the newest segment that the guest has ever mapped */
#ifdef WITHOUT_THE_GUESTS_WORD
       if
       :: KEPT != NONE ->
#else
       if
       :: KEPT != NONE && value < KEPT ->
#endif
          d_step { head[KEPT] = floor[KEPT] }; /* fresh cursors */
#ifdef WITHOUT_ONE_AT_A_TIME
          to_guest!KEPT;
          offer_current()
#else
          to_guest!KEPT
#endif
       :: else -> offer_current()
       fi;
       value = 0
    :: to_broker?MAPPED, value ->
       if
       :: value == life -> change_entry(life, CLAIMED, NONE)
       :: else -> /* the kept one */
#ifndef WITHOUT_ONE_AT_A_TIME
          offer_current()
#endif
       fi;
       value = 0
    od
  } unless { killed };
  d_step {
    killed = false;
    living = NONE;
    life++;
    do
    :: nempty(to_broker) -> to_broker?value, index
    :: else -> break
    od;
    old = 0; was = 0; older = 0; index = 0; value = 0
  };
  goto again
}

inline take(segment) { /* one exchange */
  d_step {
    head[segment] < tail[segment] ->
    assert(head[segment] >= expected);
    told = told + head[segment] - expected; /* R29 */
    taken++;
    assert(RECORD(segment, head[segment]) == taken + told); /* none twice, none left out, in order */
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
  reading++;
  do
  :: reading < LIVES && !mapped[reading] -> reading++
  :: else -> break
  od;
  if
  :: reading == LIVES -> reading = NONE
  :: else
  fi;
  expected = 0
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
  byte newest = 0;
  byte known = 0;
  byte segment = 0;
  bool mapped[LIVES];
  mapped[0] = true;
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
       mapped[reading] = false;
       forget_content(reading); /* nobody looks there any more */
       next_segment()
     }
  :: to_guest?segment ->
     d_step {
       mapped[segment] = true;
       newest = segment;
#ifdef WITHOUT_END
       reading = segment; expected = 0;
#else
       if
       :: reading == NONE -> reading = segment; expected = 0
       :: else
       fi
#endif
     };
     atomic {
       if
       :: connected == living -> to_broker!MAPPED, segment
       :: else /* lost */
       fi;
       segment = 0
     }
  :: connected == NONE && living != NONE ->
     atomic {
       if
       :: living != NONE ->
          connected = living;
          known = living;
          to_broker!RESUME, newest
       :: else
       fi
     }
  :: connected != NONE && connected != living -> /* the hang-up; what was sent may be read before */
     d_step {
       connected = NONE;
       do
       :: nempty(to_guest) -> to_guest?segment
       :: else -> break
       od;
       segment = 0
     }
  od
}

init {
  d_step {
    kept[0] = NONE; kept[1] = NONE;
    state[0] = CLAIMED;
    complete[0] = true;
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
