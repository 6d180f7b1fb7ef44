/* Worker slots, tickets and holds alike: a slot has one holder at a time, its pin stays as long as
 * it is held, and what a dead process had is free again (docs/decisions/0035).
 *
 * shm/src/worker_slots.hpp: claim, give_back, sweep, end. Three processes that claim, give back and
 * sweep; two of them may be killed anywhere. Whoever is found dead has no delayed stores left: it
 * went through the kernel. */
#define PROCESSES 3
#ifndef SLOTS
#define SLOTS 1
#endif
#define WORDS (2 * SLOTS)
#define OWNER(slot) (slot)       /* ticket_owners, hold_owners */
#define PIN(slot) (SLOTS + slot) /* sync: ticket */
#include "store_buffer.pml"

#define ROUNDS 2
bool kill_it[PROCESSES];
bool dead[PROCESSES];
byte held_by[SLOTS]; /* identity of the process that was told that it has the slot; 0: none */
byte finished;

bool gone[PROCESSES];

/* Never used twice (process_identity.hpp). With the mutation, process 2 begins when process 1 is
 * gone, and is taken for it by a sweep that is late. */
#ifdef WITHOUT_UNIQUE_IDENTITY
#define IDENTITY(me) (me == 2 -> 2 : me + 1)
#else
#define IDENTITY(me) (me + 1)
#endif
#define IS_DEAD(owner) dead[owner - 1]

inline end_slot() {
#ifdef WITHOUT_PIN_FIRST
  release(me, OWNER(slot), 0);
  release(me, PIN(slot), 0)
#else
  release(me, PIN(slot), 0);  /* sync: ticket */
  release(me, OWNER(slot), 0) /* sync: ticket */
#endif
}

inline claim_slot() {
  d_step { /* claim_free(); the exchange and that we are told of it */
    EMPTIED(me) ->
    if
    :: memory[OWNER(slot)] == 0 ->
       memory[OWNER(slot)] = IDENTITY(me); /* sync: ticket */
       assert(held_by[slot] == 0);
       held_by[slot] = IDENTITY(me);
       has = true
    :: else
    fi
  }
}

inline sweep_slot() {
  load(me, OWNER(slot), owner);
  if
  :: owner == 0 || owner == IDENTITY(me)
  :: else ->
     if
     :: IS_DEAD(owner) ->
#ifdef WITHOUT_EXCHANGE
        exchange(me, OWNER(slot), IDENTITY(me));
        took = true;
#else
        compare_exchange(me, OWNER(slot), owner, IDENTITY(me), took);
#endif
        if
        :: took ->
           took = false;
           end_slot()
        :: else
        fi
     :: else
     fi
  fi;
  owner = 0
}

proctype worker(byte me) {
  byte round = 0;
  byte slot = 0;
  byte owner = 0;
  byte seen = 0;
  bool has = false;
  bool took = false;
  bool ended = false;
#ifdef WITHOUT_UNIQUE_IDENTITY
  if
  :: me == 2 -> atomic { gone[1] -> dead[1] = false }
  :: else
  fi;
#endif
  {
    do
    :: round < ROUNDS ->
       round++;
       claim_slot();
       if
       :: has ->
          release(me, PIN(slot), me + 1);
          fence(me);
          /* A batch is out. Its pin is what the broker sees. */
          assert(memory[PIN(slot)] == me + 1 && memory[OWNER(slot)] == IDENTITY(me));
          load(me, OWNER(slot), seen); /* give_back */
          assert(seen == IDENTITY(me));
          seen = 0;
          held_by[slot] = 0;
          has = false;
          end_slot()
       :: else -> sweep_slot()
       fi
    :: else -> break
    od;
    EMPTIED(me);
    atomic { finished++; ended = true; gone[me] = true }
  } unless { kill_it[me] };
  if
  :: kill_it[me] && !ended ->
     EMPTIED(me);
     d_step {
       dead[IDENTITY(me) - 1] = true;
       gone[me] = true;
       if
       :: held_by[0] == IDENTITY(me) -> held_by[0] = 0
       :: else
       fi;
       finished++
     }
  :: else
  fi
}

/* Whatever happened: one more sweep by a living process and the slot is free. */
proctype last_worker() {
  byte me = 0;
  byte slot = 0;
  byte owner = 0;
  bool took = false;
  finished == PROCESSES;
  sweep_slot();
  fence(me);
  assert(memory[OWNER(0)] == 0 && memory[PIN(0)] == 0)
}

init {
  atomic {
    run store_buffer(0);
    run store_buffer(1);
    run store_buffer(2);
    run worker(0);
    run worker(1);
    run worker(2);
    run last_worker()
  };
  if
  :: kill_it[1] = true
  :: skip
  fi;
  if
  :: kill_it[2] = true
  :: skip
  fi
}
