/*
 * deadlock.c - Driver Verifier's deadlock detection: two locks that are acquired in one order here and in the other there will meet one day, though they never
 * did so far.
 *
 *     thread 1   A ... B        edge A -> B        the graph of all that was ever seen
 *     thread 2   B ... A        edge B -> A ?      there is a way from A to B already: 0xC4/0x1001, before it waits
 *
 * One thread that does both, one after the other, is enough. Whoever only tries to acquire a lock waits for nobody, so no edge leads to it; what is acquired while
 * it is held is behind it all the same.
 *
 *     a lock acquired again by its owner (but a mutex)    0x1000    released by a thread that does not own it          0x1004
 *     released below one that is still held               0x1003    initialised, or its memory freed, while owned      0x1005, 0x100B
 *     released, and nobody owns it                        0x1007    a system thread ends and owns one                  0x100A
 *
 * A lock that is initialised, and memory that is freed, take their edges along.
 *
 * Locks       deadlock_lock, a leaf; no stop is raised under it.
 * Source      WDK documentation: "Deadlock Detection"; Bug Check 0xC4.
 * Fidelity    spin locks, in-stack queued ones included, fast and guarded mutexes, and mutexes, as documented; of several that are waited for at once none
 *             comes behind another. 0x1003 only where the release lowers the IRQL below what the other lock needs (choice: the reference does not say when).
 *             0x1002, 0x1008 and 0x1009 do not occur: a spin lock of zeros is a good one. Beyond LOCKS and EDGES nothing more is recorded.
 */
#include "vf/deadlock.h"

#include <ntddk.h>
#include <stdio.h>
#include <string.h>

#define LOCKS 1024u
#define EDGES 8192u
#define HELD 512u
#define BUCKETS 256u

typedef struct node {
    uintptr_t lock;  /* 0: the entry is free */
    uint16_t  next;  /* 1 + index of the next one in its bucket; 0: none */
    uint16_t  edges; /* 1 + index of its first edge; 0: none */
    uint8_t   kind;  /* as it was last acquired */
    bool      visited;
} node_t;

typedef struct edge {
    uint16_t to, next; /* node; 1 + index, 0: the last */
} edge_t;

typedef struct held {
    const ke_thread_t *by; /* NULL: the entry is free */
    uint16_t           node;
    uint8_t            kind;
    uint64_t           order; /* the newest has the highest */
} held_t;

static bool      on;
static ke_lock_t deadlock_lock;
static node_t    nodes[LOCKS]; /* all that follows under it */
static edge_t    edges[EDGES];
static held_t    held[HELD];
static uint16_t  bucket[BUCKETS], edge_free, held_most;
static size_t    edge_count;
static uint64_t  order;

typedef struct finding { /* what is wrong, told when the lock has been let go */
    ULONG_PTR   code, p3, p4;
    const char *why;
} finding_t;

void vf_deadlock_boot(bool wanted)
{
    on = wanted;
    ke_lock_init(&deadlock_lock, KE_RANK_LEAF);
    if (!on)
        return;
    memset(nodes, 0, sizeof nodes);
    memset(held, 0, sizeof held);
    memset(bucket, 0, sizeof bucket);
    edge_free = held_most = 0;
    edge_count = 0;
    order = 0;
}

/* ---- the graph ---- */

#define NOWHERE UINT16_MAX

static uint16_t *bucket_of(uintptr_t lock) { return &bucket[(lock >> 3) * 0x9E3779B1u >> 8 & (BUCKETS - 1)]; }

static uint16_t find(uintptr_t lock)
{
    for (uint16_t i = *bucket_of(lock); i != 0; i = nodes[i - 1].next)
        if (nodes[i - 1].lock == lock)
            return (uint16_t)(i - 1);
    return NOWHERE;
}

static uint16_t find_or_add(uintptr_t lock, ke_own_kind_t kind)
{
    uint16_t found = find(lock);
    for (uint16_t i = 0; found == NOWHERE && i < LOCKS; i++)
        if (nodes[i].lock == 0) {
            nodes[i] = (node_t){ .lock = lock, .next = *bucket_of(lock) };
            *bucket_of(lock) = (uint16_t)(i + 1);
            found = i;
        }
    if (found != NOWHERE)
        nodes[found].kind = (uint8_t)kind;
    return found;
}

static void add_edge(uint16_t from, uint16_t to)
{
    for (uint16_t e = nodes[from].edges; e != 0; e = edges[e - 1].next)
        if (edges[e - 1].to == to)
            return;
    uint16_t fresh = edge_free;
    if (fresh != 0)
        edge_free = edges[fresh - 1].next;
    else if (edge_count < EDGES)
        fresh = (uint16_t)++edge_count;
    else
        return;
    edges[fresh - 1] = (edge_t){ to, nodes[from].edges };
    nodes[from].edges = fresh;
}

static void drop_edges(uint16_t from, uint16_t only_to)
{
    for (uint16_t *link = &nodes[from].edges; *link != 0;) {
        uint16_t e = *link;
        if (only_to != NOWHERE && edges[e - 1].to != only_to) {
            link = &edges[e - 1].next;
            continue;
        }
        *link = edges[e - 1].next;
        edges[e - 1].next = edge_free;
        edge_free = e;
    }
}

/* It has been acquired after nothing, and nothing after it. */
static void forget_order(uint16_t node)
{
    drop_edges(node, NOWHERE);
    for (uint16_t i = 0; i < LOCKS; i++)
        if (nodes[i].lock != 0)
            drop_edges(i, node);
}

static void remove_node(uint16_t node)
{
    uint16_t *link = bucket_of(nodes[node].lock);
    forget_order(node);
    while (*link != node + 1)
        link = &nodes[*link - 1].next;
    *link = nodes[node].next;
    nodes[node] = (node_t){ 0 };
}

/* A way along the edges; what was looked at is not looked at twice. */
static bool leads_to(uint16_t from, uint16_t to)
{
    static uint16_t stack[LOCKS];
    size_t          depth = 0;
    for (uint16_t i = 0; i < LOCKS; i++)
        nodes[i].visited = false;
    nodes[from].visited = true;
    stack[depth++] = from;
    while (depth > 0) {
        uint16_t here = stack[--depth];
        if (here == to)
            return true;
        for (uint16_t e = nodes[here].edges; e != 0; e = edges[e - 1].next)
            if (!nodes[edges[e - 1].to].visited) {
                nodes[edges[e - 1].to].visited = true;
                stack[depth++] = edges[e - 1].to;
            }
    }
    return false;
}

/* ---- who owns what ---- */

static held_t *newest(const ke_thread_t *by, uint16_t node)
{
    held_t *found = NULL;
    for (held_t *h = held; h < held + held_most; h++)
        if (h->by != NULL && h->node == node && (by == NULL || h->by == by) && (found == NULL || h->order > found->order))
            found = h;
    return found;
}

static void own(const ke_thread_t *thread, uint16_t node, ke_own_kind_t kind)
{
    for (uint16_t i = 0; i < HELD; i++)
        if (held[i].by == NULL) {
            held[i] = (held_t){ thread, node, (uint8_t)kind, ++order };
            held_most = i < held_most ? held_most : (uint16_t)(i + 1);
            return;
        }
}

/* ---- steps ---- */

static char text[200]; /* of the finding, for the report: there is one stop */

static void tell_order(finding_t *found, uintptr_t lock, uintptr_t other)
{
    snprintf(text, sizeof text, "The lock 0x%llx is acquired while 0x%llx is held, and they have been acquired in the other order before.",
             (unsigned long long)lock, (unsigned long long)other);
    *found = (finding_t){ 0x1001, 0, 0, text };
}

static void take(const ke_thread_t *thread, uintptr_t lock, ke_own_kind_t kind, finding_t *found)
{
    uint16_t node = find_or_add(lock, kind);
    if (node == NOWHERE)
        return;
    bool again = newest(thread, node) != NULL;
    if (again && kind != KE_OWN_MUTEX) {
        *found = (finding_t){ 0x1000, 0, 0, "A thread acquires a lock that it owns already: it would wait for itself." };
        return;
    }
    for (held_t *h = held; h < held + held_most && !again; h++) {
        if (h->by != thread || h->node == node)
            continue;
        if (leads_to(node, h->node)) {
            tell_order(found, lock, nodes[h->node].lock);
            return;
        }
        add_edge(h->node, node);
    }
    own(thread, node, kind);
}

static bool needs_irql(const held_t *h) { return h->kind != KE_OWN_MUTEX; }

static void give(const ke_thread_t *thread, uintptr_t lock, ke_own_kind_t kind, bool lowers, finding_t *found)
{
    uint16_t node = find(lock);
    held_t  *mine = node != NOWHERE ? newest(thread, node) : NULL, *others = node != NOWHERE ? newest(NULL, node) : NULL;
    if (mine == NULL) {
        if (others != NULL)
            *found = (finding_t){ 0x1004, (ULONG_PTR)others->by->kthread, (ULONG_PTR)thread->kthread,
                                  "A lock is released by a thread that does not own it." };
        else if (kind == KE_OWN_SPIN && *(const volatile KSPIN_LOCK *)lock == 0)
            *found = (finding_t){ 0x1007, 0, 0, "A lock is released that nobody has acquired." };
        return;
    }
    for (const held_t *h = held; h < held + held_most && lowers; h++)
        if (h->by == thread && h->order > mine->order && needs_irql(h)) {
            *found = (finding_t){ 0x1003, nodes[h->node].lock, 0,
                                  "A lock is released, and the IRQL lowered, while a lock that was acquired later is still held." };
            return;
        }
    mine->by = NULL;
}

static void initialise(uintptr_t lock, bool as_event, finding_t *found)
{
    uint16_t node = find(lock);
    if (node == NOWHERE || (as_event && nodes[node].kind != KE_OWN_FAST_MUTEX))
        return;
    if (newest(NULL, node) != NULL)
        *found = (finding_t){ 0x1005, 0, 0, "A lock is initialised while a thread owns it." };
    else
        remove_node(node);
}

static void cancel(const ke_thread_t *thread, uintptr_t lock)
{
    uint16_t node = find(lock);
    held_t  *mine = node != NOWHERE ? newest(thread, node) : NULL;
    if (mine != NULL)
        mine->by = NULL;
}

static uintptr_t any_of(const ke_thread_t *thread)
{
    for (const held_t *h = held; h < held + held_most; h++)
        if (h->by == thread)
            return nodes[h->node].lock;
    return 0;
}

static void report(const char *routine, const finding_t *found, ULONG_PTR p2)
{
    if (found->code != 0)
        ke_bugcheck(routine, found->why, DRIVER_VERIFIER_DETECTED_VIOLATION, found->code, p2, found->p3, found->p4);
}

void vf_deadlock_init(const char *routine, uintptr_t object)
{
    finding_t found = { 0 };
    uintptr_t mutex = object - FIELD_OFFSET(FAST_MUTEX, Event); /* ExInitializeFastMutex is inline: its event is what we see */
    if (!on)
        return;
    ke_lock(&deadlock_lock);
    initialise(mutex, true, &found);
    if (found.code == 0) {
        mutex = object;
        initialise(object, false, &found);
    }
    ke_unlock(&deadlock_lock);
    report(routine, &found, mutex);
}

void vf_deadlock_step(const char *routine, ke_own_step_t step, ke_own_kind_t kind, const volatile void *lock)
{
    const ke_thread_t *thread = ke_self();
    finding_t          found = { 0 };
    uintptr_t          address = (uintptr_t)lock;
    if (!on)
        return;
    ke_lock(&deadlock_lock);
    switch (step) {
    case KE_OWN_TAKE: take(thread, address, kind, &found); break;
    case KE_OWN_TRIED:
        if (find_or_add(address, kind) != NOWHERE)
            own(thread, find(address), kind);
        break;
    case KE_OWN_CANCEL: cancel(thread, address); break;
    case KE_OWN_GIVE:
    case KE_OWN_GIVE_AND_LOWER: give(thread, address, kind, step == KE_OWN_GIVE_AND_LOWER, &found); break;
    case KE_OWN_END:
        if (any_of(thread) != 0)
            found = (finding_t){ 0x100A, 0, 0, "A system thread ends and still owns a lock." };
        address = (uintptr_t)thread->kthread;
        break;
    }
    ke_unlock(&deadlock_lock);
    report(routine, &found, address);
}

void vf_deadlock_freeing(const char *routine, uintptr_t address, size_t bytes)
{
    finding_t found = { 0 };
    uintptr_t lock = 0;
    if (!on)
        return;
    ke_lock(&deadlock_lock);
    for (uint16_t i = 0; i < LOCKS && found.code == 0; i++) {
        const held_t *owner = NULL;
        if (nodes[i].lock == 0 || nodes[i].lock - address >= bytes)
            continue;
        owner = newest(NULL, i);
        lock = nodes[i].lock;
        if (owner != NULL)
            found = (finding_t){ 0x100B, (ULONG_PTR)owner->by->kthread, 0, "Memory is freed with a lock in it that a thread owns." };
        else
            remove_node(i);
    }
    ke_unlock(&deadlock_lock);
    report(routine, &found, lock);
}
