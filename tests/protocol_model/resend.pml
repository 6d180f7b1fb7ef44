/* A publisher over broker deaths: each of its messages gets its receipt, and was pushed into each
 * of two routes once, in the order of its numbers (docs/decisions/0050, "What a guest does", R09,
 * R34).
 *
 * Guest: Outbox::publish, the resume of an outbox, the copying of what has no receipt. Broker:
 * ResumeOutbox, OutboxReader (numbers go up by one), fan-out, ReceiptWriter. What the broker knows
 * of the pushes of its predecessors is exact here, and no more than needed: see evidence.pml. */
#ifndef LIVES
#define LIVES 4
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#define NUMBERS (2 * MESSAGES + 1)
#define ROUTES 2
#define NONE 7

/* Outbox and receipts, by the life that made them. Number n of the first life is message n. */
byte first[LIVES];    /* number */
byte written[LIVES];  /* the tail: newest number in the ring */
byte message[LIVES * NUMBERS];
byte receipt[LIVES];  /* accepted_number */
#define MESSAGE(life, n) message[(life) * NUMBERS + (n)]
/* What was pushed without a receipt: outbox id, and number. */
byte pushed_id[ROUTES], pushed[ROUTES];

byte resume_with = 0; /* packet: first number + 1 */
byte resume_id;
bool opened;          /* the answer */
byte living = 0;
byte connected = 0;
byte crashes;
bool killed;
/* The publisher's own. */
byte current = 0;   /* the outbox that publishes go into */
byte behind = NONE; /* the new one, while messages are copied into it */
byte newest = 0;    /* number */
byte delivered[ROUTES]; /* for the assertions: newest message */

proctype broker() {
  byte life = 0, next = 1, route = 0, id = 1;
  bool has_outbox = true;
again:
  {
    living = life;
end_serving:
    do
    :: d_step {
         resume_with != 0 ->
         first[life] = resume_with - 1;
         written[life] = resume_with - 2;
         receipt[life] = resume_with - 2;
         next = resume_with - 1;
         id = resume_id;
         resume_with = 0; resume_id = 0;
         has_outbox = true;
         opened = true
       }
    :: has_outbox && written[life] >= next ->
#ifdef WITHOUT_LAST_ROUTE
       receipt[life] = next;
#endif
       do
       :: route < ROUTES ->
          d_step {
            if
            :: pushed_id[route] == id && pushed[route] == next /* duplicates_dropped */
            :: else ->
               assert(MESSAGE(life, next) == delivered[route] + 1); /* none twice, in order */
               delivered[route] = delivered[route] + 1;
               pushed_id[route] = id;
               pushed[route] = next
            fi
          };
          route++
       :: else -> break
       od;
       route = 0;
       receipt[life] = next;
       assert(delivered[0] >= MESSAGE(life, next) && delivered[1] >= MESSAGE(life, next));
       d_step {
         pushed_id[0] = 0; pushed_id[1] = 0;
         pushed[0] = 0; pushed[1] = 0;
         next++
       }
    od
  } unless { killed };
  d_step {
    killed = false;
    living = NONE;
    life++;
    next = 0; route = 0; id = 0;
    resume_with = 0; resume_id = 0;
    has_outbox = false
  };
  goto again
}

/* A thread that publishes, whatever goes on. */
proctype publishes() {
  byte made = 0;
  byte into = 0;
  do
  :: made < MESSAGES ->
     d_step {
       made++;
       newest++;
#ifdef WITHOUT_CAUGHT_UP /* into the new one at once */
       into = (behind != NONE -> behind : current);
#else
       into = current;
#endif
       MESSAGE(into, newest) = made;
       written[into] = newest;
       into = 0
     }
  :: else -> break
  od
}

/* The thread that brings the connection back. */
proctype resumes() {
  byte accepted = 0; /* newest receipt in any of its outboxes, never less again */
  byte number = 0;
end:
  do
  :: d_step { /* the hang-up: the receipts of that broker are final */
       connected != NONE && connected != living ->
       connected = NONE;
       opened = false;
#ifdef WITHOUT_ACCEPTED_KEPT
       accepted = receipt[current];
#else
       if
       :: receipt[current] > accepted -> accepted = receipt[current]
       :: else
       fi;
#endif
#ifndef WITHOUT_NEW_RECEIPTS
       if
       :: behind != NONE && receipt[behind] > accepted -> accepted = receipt[behind]
       :: else
       fi;
#endif
#ifdef WITHOUT_OLD_OUTBOX /* goes on with the one that is half copied */
       if
       :: behind != NONE -> current = behind
       :: else
       fi;
#endif
       behind = NONE;
       number = 0
     }
  :: d_step {
       connected == NONE && living != NONE ->
       connected = living;
#ifdef WITHOUT_OLD_ID
       resume_id = living + 1;
#else
       resume_id = 1;
#endif
#ifdef WITHOUT_OLD_NUMBERS
       resume_with = newest + 2;
#else
       resume_with = accepted + 2;
#endif
     }
  :: d_step {
       opened && connected == living ->
       opened = false;
       behind = connected;
       number = accepted
     }
  :: d_step {
       behind != NONE && connected == living && number < newest -> /* a record and its tail */
       number++;
#ifdef WITHOUT_OLD_NUMBERS
       written[behind] = written[behind] + 1;
       MESSAGE(behind, written[behind]) = MESSAGE(current, number);
#else
       MESSAGE(behind, number) = MESSAGE(current, number);
       written[behind] = number;
#endif
     }
  :: d_step { /* all is there, and nobody publishes now: the mutex */
       behind != NONE && connected == living && number >= newest ->
       current = behind;
       behind = NONE;
       newest = written[current];
       number = 0
     }
  od
}

init {
  d_step { first[0] = 1 };
  atomic { run broker(); run publishes(); run resumes() };
  do
  :: crashes < LIVES - 1 && !killed -> d_step { crashes++; killed = true }
  :: true -> break
  od;
  timeout -> /* at rest */
    assert(delivered[0] == MESSAGES && delivered[1] == MESSAGES && receipt[connected] == MESSAGES)
}
