/* Memory with store buffers, for all models. Include it after defining WORDS and PROCESSES.
 *
 * Each process has a buffer of up to STORES delayed stores. A store leaves it at any moment, before
 * or after stores to other words that the process made earlier, except that
 *   - a release() leaves after all stores made before it,
 *   - stores to one word leave in their order,
 *   - fence() and the locked instructions wait until the buffer is empty.
 * A process sees its own delayed stores. Loads are not delayed. With -DTSO stores leave in their
 * order, as on x86; without it everything that x86 does can happen, and more. */
#ifndef STORES
#define STORES 3
#endif

typedef Buffer {
  byte used;
  byte at[STORES];
  byte what[STORES];
  bool ordered[STORES]
};
Buffer buffers[PROCESSES];
byte memory[WORDS];
hidden byte each_;

inline put_(who, word, number, is_ordered) {
  d_step {
    buffers[who].used < STORES ->
    buffers[who].at[buffers[who].used] = word;
    buffers[who].what[buffers[who].used] = number;
    buffers[who].ordered[buffers[who].used] = is_ordered;
    buffers[who].used++
  }
}
inline store(who, word, number) { put_(who, word, number, false) }
#ifdef WITHOUT_RELEASE
inline release(who, word, number) { put_(who, word, number, false) }
#else
inline release(who, word, number) { put_(who, word, number, true) }
#endif

/* What `who` sees in the word, into `result`. */
inline load(who, word, result) {
  d_step {
    result = memory[word];
    each_ = 0;
    do
    :: each_ < buffers[who].used ->
       if
       :: buffers[who].at[each_] == word -> result = buffers[who].what[each_]
       :: else
       fi;
       each_++
    :: else -> break
    od;
    each_ = 0
  }
}

#define EMPTIED(who) (buffers[who].used == 0)
inline fence(who) { EMPTIED(who) }

/* Compare and swap: `expected` becomes what was seen when it fails. */
inline compare_exchange(who, word, expected, desired, done) {
  d_step {
    EMPTIED(who) ->
    if
    :: memory[word] == expected -> memory[word] = desired; done = true
    :: else -> expected = memory[word]; done = false
    fi
  }
}

/* A store that empties the buffer, as a seq_cst store does on x86. */
inline exchange(who, word, number) {
  d_step { EMPTIED(who) -> memory[word] = number }
}
inline fetch_add(who, word) {
  d_step { EMPTIED(who) -> memory[word]++ }
}

#ifdef TSO
#define OVERTAKES(who, second, first) false
#else
#define OVERTAKES(who, second, first)                                                          \
  (!buffers[who].ordered[second] && buffers[who].at[second] != buffers[who].at[first])
#endif

inline leave_(who, index) {
  memory[buffers[who].at[index]] = buffers[who].what[index];
  each_ = index;
  do
  :: each_ + 1 < buffers[who].used ->
     buffers[who].at[each_] = buffers[who].at[each_ + 1];
     buffers[who].what[each_] = buffers[who].what[each_ + 1];
     buffers[who].ordered[each_] = buffers[who].ordered[each_ + 1];
     each_++
  :: else -> break
  od;
  buffers[who].at[each_] = 0;
  buffers[who].what[each_] = 0;
  buffers[who].ordered[each_] = false;
  buffers[who].used--;
  each_ = 0
}

proctype store_buffer(byte me) {
end:
  do
  :: d_step { buffers[me].used > 0 -> leave_(me, 0) }
  :: d_step { buffers[me].used > 1 && OVERTAKES(me, 1, 0) -> leave_(me, 1) }
  :: d_step { buffers[me].used > 2 && OVERTAKES(me, 2, 0) && OVERTAKES(me, 2, 1) -> leave_(me, 2) }
  od
}
