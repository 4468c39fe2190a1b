/*
 * pool_compare.c - a ratio, and the doubts about it.
 *
 * No verdict is given when
 *     the tests were small ones (--quick), or there are too few rounds to know how much the machine moves
 *     the floor, the same loop over an allocator that does nothing, moved by more than a tenth between the quartiles of its rounds
 *     two tests of ntmm are compared, and the floor does not cost the same in both: two threads on one core slow each other down whatever
 *     they call
 *     threads that should have run at once did not: a neighbour had one of the processors
 * Memory does not depend on how busy the machine is: only small tests leave it undecided.
 */
#include "pool_compare.h"

#include <stdio.h>

#define FLOOR_MAY_MOVE 0.10
#define FEWEST_ROUNDS 3
#define AT_ONCE_WALL 0.9 /* least share of the time for a figure of wall time */
#define AT_ONCE_CPU 0.6  /* for processor time it is enough that they met most of the time */

/* One side of a ratio: an allocator in a test. */
typedef struct side {
    const pool_results   *results;
    const pool_contender *contender;
    size_t                test;
} side;

static double median(side s)
{
    unsigned      count = 0;
    const double *rounds = s.contender != NULL ? pool_entry_rounds(s.contender, s.test, &count) : NULL;
    return rounds != NULL ? rounds_median(rounds, count) : 0;
}

static side floor_under(side s) { return (side){ s.results, &s.results->contenders[0], s.test }; }

/* Each doubt about one side; @return true: there is one, and it stands in `doubt` */
static bool moved(side s, char *doubt, size_t room)
{
    unsigned      count;
    const double *rounds = pool_entry_rounds(floor_under(s).contender, s.test, &count);
    double        by = rounds != NULL ? rounds_moved(rounds, count) : 0;
    if (count < FEWEST_ROUNDS)
        return snprintf(doubt, room, "unsure: fewer than %d rounds", FEWEST_ROUNDS) > 0;
    return by > FLOOR_MAY_MOVE && snprintf(doubt, room, "unsure: the floor moved by %.0f %%", 100 * by) > 0;
}

static bool took_turns(side s, char *doubt, size_t room)
{
    const pool_entry *entry = &s.contender->entries[s.test];
    double            share = rounds_median(entry->at_once, entry->rounds);
    double            least = POOL_TESTS[s.test].measure == POOL_WALL ? AT_ONCE_WALL : AT_ONCE_CPU;
    return POOL_TESTS[s.test].threads > 1 && share < least &&
           snprintf(doubt, room, "unsure: %s's threads ran at once for %.0f %% of the time", s.contender->allocator->name, 100 * share) > 0;
}

static bool floors_differ(side one, side other, char *doubt, size_t room)
{
    double ratio = median(floor_under(one)) / median(floor_under(other));
    return (ratio > 1 + FLOOR_MAY_MOVE || 1 / ratio > 1 + FLOOR_MAY_MOVE) &&
           snprintf(doubt, room, "unsure: the floor's own ratio is %.2f", ratio) > 0;
}

static void find_doubt(side one, side other, pool_comparison *c)
{
    size_t room = sizeof c->doubt;
    if (one.results->options->quick)
        snprintf(c->doubt, room, "unsure: small tests");
    else if (POOL_TESTS[one.test].measure != POOL_MEMORY)
        (void)(moved(one, c->doubt, room) || moved(other, c->doubt, room) || took_turns(one, c->doubt, room) ||
               took_turns(other, c->doubt, room) || floors_differ(one, other, c->doubt, room));
}

pool_comparison pool_compare(const pool_results *results, const pool_promise *promise)
{
    pool_comparison found = { 0 };
    size_t          other_test = pool_test_find(promise->other);
    side            one = { results, pool_contender_find(results, POOL_OURS), pool_test_find(promise->test) };
    side            other = { results, pool_contender_find(results, promise->other), one.test };
    if (other_test < POOL_TEST_COUNT)
        other = (side){ results, one.contender, other_test };
    found.measured = median(one) > 0 && median(other) > 0;
    if (found.measured) {
        found.ratio = median(one) / median(other);
        find_doubt(one, other, &found);
    }
    return found;
}
