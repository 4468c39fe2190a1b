/*
 * pool_model_lookaside.h - lookaside lists and deferred frees in front of the model's descriptors, for a thread on processor 0.
 *
 *     take    up to 32 units: the newest of P, else of L; else the descriptor; when that fails everything is given back, once more
 *     give    up to 32 units: to P, else to L, while they hold fewer than their depth; else it waits at its descriptor, and with the 32nd all
 *             are given, the newest first
 *     tuning  after every 4,096 calls: the three rules below for each list, then the newest above the depth are given
 */
#ifndef NTMM_TESTS_POOL_MODEL_LOOKASIDE_H
#define NTMM_TESTS_POOL_MODEL_LOOKASIDE_H

#include "pool_model.h"

enum { M_SMALL = 32, M_DEPTH_MAX = 256, M_PENDING = 32, M_PERIOD = 4096 };

typedef struct m_stack {
    m_place_t at[M_DEPTH_MAX]; /* the newest last */
    unsigned  count, depth, allocs, misses;
} m_stack_t;

static struct {
    m_stack_t ready[2][M_POOLS][M_SMALL + 1]; /* P, L */
    struct {
        m_place_t at[M_PENDING];
        unsigned  count;
    } pending[M_POOLS][M_DESCRIPTORS];
    unsigned calls;
} ml;

static void ml_boot(void)
{
    memset(&ml, 0, sizeof ml);
    for (unsigned which = 0; which < 2; which++)
        for (unsigned pool = 0; pool < M_POOLS; pool++)
            for (unsigned units = 0; units <= M_SMALL; units++)
                ml.ready[which][pool][units].depth = 4;
}

static void ml_shrink(m_stack_t *stack, unsigned count)
{
    while (stack->count > count)
        m_give(stack->at[--stack->count]);
}

static void ml_give_pending(int pool, int index)
{
    for (unsigned i = ml.pending[pool][index].count; i-- > 0;)
        m_give(ml.pending[pool][index].at[i]);
    ml.pending[pool][index].count = 0;
}

static void ml_give_everything(void)
{
    for (int pool = 0; pool < M_POOLS; pool++) {
        for (unsigned which = 0; which < 2; which++)
            for (unsigned units = 1; units <= M_SMALL; units++)
                ml_shrink(&ml.ready[which][pool][units], 0);
        for (int index = 0; index < M_DESCRIPTORS; index++)
            ml_give_pending(pool, index);
    }
}

static unsigned ml_tuned(const m_stack_t *stack)
{
    double   ratio = stack->allocs == 0 ? 0 : (double)stack->misses / stack->allocs;
    unsigned depth = stack->depth;
    if (stack->allocs < 25)
        return depth < 14 ? 4 : depth - 10;
    if (ratio < 0.005)
        return depth == 4 ? 4 : depth - 1;
    depth += stack->misses * (M_DEPTH_MAX - depth) / (2 * stack->allocs) + 5;
    return depth > M_DEPTH_MAX ? M_DEPTH_MAX : depth;
}

static void ml_tick(void)
{
    if (++ml.calls < M_PERIOD)
        return;
    ml.calls = 0;
    for (unsigned which = 0; which < 2; which++)
        for (unsigned pool = 0; pool < M_POOLS; pool++)
            for (unsigned units = 1; units <= M_SMALL; units++) {
                m_stack_t *stack = &ml.ready[which][pool][units];
                stack->depth = ml_tuned(stack);
                stack->allocs = stack->misses = 0;
                ml_shrink(stack, stack->depth);
            }
}

static bool ml_take_ready(int pool, unsigned units, m_place_t *place)
{
    for (unsigned which = 0; units <= M_SMALL && which < 2; which++) {
        m_stack_t *stack = &ml.ready[which][pool][units];
        stack->allocs++;
        if (stack->count != 0) {
            *place = stack->at[--stack->count];
            return true;
        }
        stack->misses++;
    }
    return false;
}

static bool ml_take(int pool, unsigned units, m_place_t *place)
{
    bool found = ml_take_ready(pool, units, place);
    if (!found) {
        m_descriptor_t *home = m_descriptor_for(pool);
        found = m_take(home, units, 1, true, place) == 1;
        if (!found) {
            ml_give_everything();
            found = m_take(home, units, 1, true, place) == 1;
        }
    }
    ml_tick();
    return found;
}

static void ml_wait(m_place_t place)
{
    int pool = m.page[place.page].pool, index = m.page[place.page].index;
    ml.pending[pool][index].at[ml.pending[pool][index].count++] = place;
    if (ml.pending[pool][index].count == M_PENDING)
        ml_give_pending(pool, index);
}

static void ml_give(m_place_t place)
{
    int      pool = m.page[place.page].pool;
    unsigned units = m_size(place), which = units <= M_SMALL ? 0 : 2;
    while (which < 2 && ml.ready[which][pool][units].count >= ml.ready[which][pool][units].depth)
        which++;
    if (which < 2)
        ml.ready[which][pool][units].at[ml.ready[which][pool][units].count++] = place;
    else
        ml_wait(place);
    ml_tick();
}

#endif
