/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/automaton: a grammar made deterministic while it is used. A place is the set of all ways in
 * which the text so far can be read: each a state of a rule and the stack of states to return to. Stacks
 * are shared lists and equal ones are the same, so equal sets are the same place, and steps are looked
 * up. Grows as places are met, within bounds; am_automaton_trim starts anew. One thread.
 * Where a set or the memory would become too large, ways are left out: what remains allowed is still in
 * the grammar. */
#ifndef AM_GRAMMAR_AUTOMATON_H
#define AM_GRAMMAR_AUTOMATON_H

#include "grammar/build.h"

#define AM_PLACE_DEAD 0u /* no way: the text is not a beginning of any in the grammar */
#define AM_PLACE_UNKNOWN UINT32_MAX

typedef struct am_way {
  uint32_t state, stack; /* stack: index of its top; 0 = empty */
} am_way;

typedef struct am_frame {
  uint32_t state;  /* to return to */
  uint32_t below;  /* the rest of the stack */
  uint32_t cost;   /* bytes to the end of all rules on the stack */
  uint32_t height; /* frames */
} am_frame;

typedef struct am_place {
  uint32_t ways_at, n_ways; /* those that can read a byte */
  uint32_t cost;            /* fewest bytes to the end; AM_GRAMMAR_NEVER: the available bytes do not do */
  uint32_t height;          /* of the lowest stack */
  uint32_t plain;           /* am_automaton_plain's answer; AM_PLACE_UNKNOWN at first */
  uint32_t note[2];         /* of the user; AM_PLACE_UNKNOWN at first */
  bool ends;                /* the text may end here */
} am_place;

typedef struct am_automaton {
  const am_grammar *grammar; /* borrowed */
  bool available[256];
  uint32_t *least, *via; /* owned; (n_states) as am_grammar_least with the available bytes */
  am_place *places;      /* owned; [0] is dead */
  size_t n_places, places_capacity, most_places;
  uint32_t *next; /* owned; (places_capacity, n_classes) */
  am_way *ways;   /* owned */
  size_t n_ways, ways_capacity;
  am_frame *frames; /* owned; [0] is the empty stack */
  size_t n_frames, frames_capacity;
  uint32_t *place_slots, *frame_slots; /* owned hash tables of indices, 0 = empty */
  size_t place_mask, frame_mask;
  am_way *work; /* owned: closure in progress */
  size_t n_work, work_capacity, n_kept;
  uint32_t *work_slots; /* owned */
  size_t work_mask;
  bool truncated; /* ways or places were left out: a place's cost may promise too much */
  bool failed;    /* memory was out */
} am_automaton;

/* available: bytes that can be written one by one (256), for am_place.cost. */
adam_status am_automaton_open(const am_grammar *grammar, const bool *available, am_automaton *out,
                              adam_error *error);
void am_automaton_close(am_automaton *automaton);
uint32_t am_automaton_start(am_automaton *automaton);
/* The place behind one more byte. AM_PLACE_DEAD also when memory is out (failed). */
uint32_t am_automaton_make(am_automaton *automaton, uint32_t place, uint8_t class);
static inline uint32_t am_automaton_next(am_automaton *a, uint32_t place, uint8_t byte) {
  uint8_t class = a->grammar->class_of[byte];
  uint32_t next = a->next[(size_t)place * a->grammar->n_classes + class];
  return next == AM_PLACE_UNKNOWN ? am_automaton_make(a, place, class) : next;
}
/* The place behind one plain character (U+0020 and above, no " and no \) where all of them lead to the
 * same, perhaps AM_PLACE_DEAD; AM_PLACE_MIXED where they do not. */
#define AM_PLACE_MIXED (UINT32_MAX - 1)
uint32_t am_automaton_plain(am_automaton *automaton, uint32_t place);
/* Forgets all but this place when much has gathered; its new number. *forgot: the notes are gone. */
uint32_t am_automaton_trim(am_automaton *automaton, uint32_t place, bool *forgot);
/* A text of fewest available bytes from the place to the end, into out (the place's cost, which must not
 * be AM_GRAMMAR_NEVER). false: memory is out. */
bool am_automaton_shortest(const am_automaton *automaton, uint32_t place, uint8_t *out);

#endif
