/*
 * test_ex_slist.c - sequenced lists: order, header, alignment, the ABA problem, entries that disappear, and four threads at once.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <ntmm/cmocka.h>

#include "mm/mm.h"
#include "rtl/pair.h"

static SLIST_HEADER head;
static SLIST_ENTRY  e[3];
static KSPIN_LOCK   unused_lock;

static void expect_header(const SLIST_ENTRY *first, unsigned depth, unsigned sequence)
{
    assert_ptr_equal(FirstEntrySList(&head), first);
    assert_ptr_equal(RtlFirstEntrySList(&head), first);
    assert_int_equal(head.HeaderX64.Depth, depth);
    assert_int_equal(head.HeaderX64.Sequence, sequence);
    assert_int_equal(head.HeaderX64.NextEntry, (uintptr_t)first >> 4);
    assert_int_equal(head.HeaderX64.Reserved, 0);
    assert_int_equal(head.Alignment, (uint64_t)sequence << 16 | depth);
    assert_int_equal(head.Region, (uintptr_t)first);
}

/* ---- one thread; none of it needs a machine ---- */

static void last_in_first_out(void **state)
{
    (void)state;
    memset(&head, 0x55, sizeof head);
    memset(e, 0x55, sizeof e);
    InitializeSListHead(&head);
    expect_header(NULL, 0, 0);
    assert_null(ExInterlockedFlushSList(&head));
    assert_null(ExInterlockedPopEntrySList(&head, &unused_lock));
    expect_header(NULL, 0, 0);
    assert_null(ExInterlockedPushEntrySList(&head, &e[0], &unused_lock));
    assert_null(e[0].Next);
    expect_header(&e[0], 1, 1);
    assert_ptr_equal(ExInterlockedPushEntrySList(&head, &e[1], NULL), &e[0]);
    assert_ptr_equal(e[1].Next, &e[0]);
    expect_header(&e[1], 2, 2);
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[1]);
    assert_ptr_equal(e[1].Next, &e[0]); /* stays */
    expect_header(&e[0], 1, 2);
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, &unused_lock), &e[0]);
    assert_null(ExInterlockedPopEntrySList(&head, &unused_lock));
    expect_header(NULL, 0, 2);
    assert_int_equal(unused_lock, 0);
}

static void under_the_other_names(void **state)
{
    (void)state;
    ExInitializeSListHead(&head);
    assert_null(InterlockedPushEntrySList(&head, &e[0]));
    assert_ptr_equal(InterlockedPushEntrySList(&head, &e[1]), &e[0]);
    assert_int_equal(QueryDepthSList(&head), 2);
    assert_ptr_equal(InterlockedPopEntrySList(&head), &e[1]);
    assert_ptr_equal(InterlockedFlushSList(&head), &e[0]);
    assert_null(ExpInterlockedPopEntrySList(&head));
    assert_null(ExpInterlockedPushEntrySList(&head, &e[2]));
    assert_ptr_equal(ExpInterlockedFlushSList(&head), &e[2]);
}

static void flushing(void **state)
{
    PSLIST_ENTRY all;

    (void)state;
    InitializeSListHead(&head);
    for (unsigned i = 0; i < 3; i++)
        ExInterlockedPushEntrySList(&head, &e[i], NULL);
    all = ExInterlockedFlushSList(&head);
    expect_header(NULL, 0, 3);
    assert_ptr_equal(all, &e[2]);
    assert_ptr_equal(all->Next, &e[1]);
    assert_ptr_equal(all->Next->Next, &e[0]);
    assert_null(all->Next->Next->Next);
    assert_null(ExInterlockedFlushSList(&head));
}

/* 16 bits count the depth; what is beyond does not spill into the sequence. */
static void the_depth_wraps(void **state)
{
    enum { COUNT = 65536 + 3 };
    SLIST_ENTRY *many = aligned_alloc(16, COUNT * sizeof *many);

    (void)state;
    assert_non_null(many);
    InitializeSListHead(&head);
    for (unsigned i = 0; i < COUNT; i++)
        ExInterlockedPushEntrySList(&head, &many[i], NULL);
    expect_header(&many[COUNT - 1], 3, COUNT);
    assert_int_equal(ExQueryDepthSList(&head), 3);
    for (unsigned i = COUNT; i-- > 0;)
        assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &many[i]);
    expect_header(NULL, 0, COUNT);
    free(many);
}

/* A thread has read header and link, and is about to put the link in place of the first entry. Meanwhile the same entry has become first again,
 * with another one behind it. */
static void the_same_entry_again_is_another_header(void **state)
{
    rt_pair_t read;

    (void)state;
    InitializeSListHead(&head);
    ExInterlockedPushEntrySList(&head, &e[0], NULL);
    ExInterlockedPushEntrySList(&head, &e[1], NULL);
    read = (rt_pair_t){ head.Alignment, head.Region };
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[1]);
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[0]);
    ExInterlockedPushEntrySList(&head, &e[2], NULL);
    ExInterlockedPushEntrySList(&head, &e[1], NULL); /* first, and two deep, as before */
    assert_int_equal(head.Region, read.high);
    assert_int_equal(head.HeaderX64.Depth, 2);
    assert_false(rt_pair_exchange((rt_pair_t *)(void *)&head, read, (rt_pair_t){ read.low - 1, (uintptr_t)&e[0] }));
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[1]);
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[2]);
    assert_null(ExInterlockedPopEntrySList(&head, NULL));
}

/* ---- IRQL and alignment ---- */

static void at_high_level(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(HIGH_LEVEL, &old);
    InitializeSListHead(&head);
    assert_null(ExInterlockedPushEntrySList(&head, &e[0], NULL));
    assert_ptr_equal(FirstEntrySList(&head), &e[0]);
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[0]);
    assert_null(ExInterlockedFlushSList(&head));
    KeLowerIrql(old);
}

static void the_depth_at_dispatch_level(void **state)
{
    KIRQL old;

    (void)state;
    InitializeSListHead(&head);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(ExQueryDepthSList(&head), 0);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExQueryDepthSList(&head));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL + 1);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 8);
}

static _Alignas(16) char bytes[64];

static void *at(unsigned offset) { return bytes + offset; }

static void init_8(void) { InitializeSListHead(at(8)); }
static void push_to_8(void) { ExInterlockedPushEntrySList(at(8), at(32), NULL); }
static void push_8(void) { ExInterlockedPushEntrySList(at(16), at(40), NULL); }
static void push_1(void) { ExpInterlockedPushEntrySList(at(16), at(33)); }
static void pop_4(void) { ExInterlockedPopEntrySList(at(4), NULL); }
static void flush_8(void) { ExInterlockedFlushSList(at(8)); }
static void pop_8_again(void) { ExpInterlockedPopEntrySList(at(8)); }
static void flush_1(void) { ExpInterlockedFlushSList(at(1)); }

static void misaligned(void **state)
{
    static void (*const calls[])(void) = { init_8, push_to_8, push_8, push_1, pop_4, flush_8, pop_8_again, flush_1 };

    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(calls); i++) {
        memset(bytes, 0, sizeof bytes);
        assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (LONG_PTR)STATUS_DATATYPE_MISALIGNMENT, calls[i]());
        for (size_t k = 0; k < sizeof bytes; k++)
            assert_int_equal(bytes[k], 0);
        ntmm_cmocka_reboot();
    }
}

/* ---- entries that disappear ---- */

/* An entry that is on the list still: the pop takes the page fault that any use of it would. */
static void an_entry_that_was_freed_while_on_the_list(void **state)
{
    size_t       page = host_page_size();
    PSLIST_ENTRY entry = host_reserve(page);

    (void)state;
    assert_int_equal(host_protect(entry, page, HOST_READ | HOST_WRITE), 0);
    InitializeSListHead(&head);
    ExInterlockedPushEntrySList(&head, entry, NULL);
    assert_int_equal(host_protect(entry, page, HOST_NONE), 0);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, entry, ExInterlockedPopEntrySList(&head, NULL));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 0); /* a read */
    host_release(entry, page);
}

/* In the moment between this thread's look at the header and its look at the entry, another one pops the entry and frees it. The fault that the
 * second look takes is the place to play that other thread. */
static ke_fault_answer_t pop_behind_its_back(ke_thread_t *thread, const host_fault_t *fault)
{
    (void)thread;
    if (fault->address == head.Region) {
        head.Region = (uintptr_t)&e[0];
        head.HeaderX64.Depth = 1;
    }
    return KE_FAULT_UNKNOWN;
}

static void an_entry_that_another_thread_pops_and_frees(void **state)
{
    size_t       page = host_page_size();
    PSLIST_ENTRY entry = host_reserve(page);

    (void)state;
    assert_int_equal(host_protect(entry, page, HOST_READ | HOST_WRITE), 0);
    InitializeSListHead(&head);
    ExInterlockedPushEntrySList(&head, &e[0], NULL);
    ExInterlockedPushEntrySList(&head, entry, NULL);
    assert_int_equal(host_protect(entry, page, HOST_NONE), 0);
    ke_fault_resolver = pop_behind_its_back;
    assert_no_bugcheck(assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[0]));
    ke_fault_resolver = mm_fault_resolve;
    expect_header(NULL, 0, 2);
    host_release(entry, page);
}

enum { PAGES = 6, POPS = 4000 };

static char *pages;

/* Whoever pops an entry takes its page away at once, and puts it back before the entry is pushed again. */
static void *pop_and_take_away(void *argument)
{
    size_t page = host_page_size();

    for (unsigned i = 0; i < POPS; i++) {
        PSLIST_ENTRY entry = ExInterlockedPopEntrySList(&head, NULL);
        if (entry == NULL)
            continue;
        if (host_protect(entry, page, HOST_NONE) != 0)
            return &pages;
        host_yield();
        if (host_protect(entry, page, HOST_READ | HOST_WRITE) != 0)
            return &pages;
        ExInterlockedPushEntrySList(&head, entry, NULL);
    }
    return argument;
}

static void entries_that_were_popped_and_freed_elsewhere(void **state)
{
    pthread_t threads[3];
    size_t    page = host_page_size();

    (void)state;
    pages = host_reserve(PAGES * page);
    assert_int_equal(host_protect(pages, PAGES * page, HOST_READ | HOST_WRITE), 0);
    InitializeSListHead(&head);
    for (unsigned i = 0; i < PAGES; i++)
        ExInterlockedPushEntrySList(&head, (PSLIST_ENTRY)(void *)(pages + i * page), NULL);
    for (unsigned i = 0; i < NTMM_ARRAY_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pop_and_take_away, NULL), 0);
    for (unsigned i = 0; i < NTMM_ARRAY_COUNT(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(ExQueryDepthSList(&head), PAGES);
    for (unsigned i = 0; i < PAGES; i++)
        assert_non_null(ExInterlockedPopEntrySList(&head, NULL));
    assert_null(ExInterlockedPopEntrySList(&head, NULL));
    host_release(pages, PAGES * page);
}

/* ---- four threads ---- */

enum { THREADS = 4, NODES = 64, ROUNDS = 20000 };

typedef struct node {
    SLIST_ENTRY  link;
    _Atomic bool owned;  /* by a thread */
    unsigned     visits; /* plain: by the owner */
} node_t;

static node_t           nodes[NODES];
static _Atomic unsigned pushes;

static unsigned pop_some(node_t **taken, unsigned most)
{
    unsigned count = 0;
    while (count < most) {
        PSLIST_ENTRY entry = ExInterlockedPopEntrySList(&head, NULL);
        if (entry == NULL)
            break;
        taken[count++] = CONTAINING_RECORD(entry, node_t, link);
    }
    return count;
}

static unsigned flush_all(node_t **taken)
{
    unsigned count = 0;
    for (PSLIST_ENTRY entry = ExInterlockedFlushSList(&head); entry != NULL; entry = entry->Next)
        taken[count++] = CONTAINING_RECORD(entry, node_t, link);
    return count;
}

static void *play(void *argument)
{
    node_t  *taken[NODES];
    unsigned random = (unsigned)(size_t)argument * 2654435761u + 1;

    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1664525u + 1013904223u;
        unsigned count = random >> 24 == 0 ? flush_all(taken) : pop_some(taken, 1 + (random >> 16) % 5);
        for (unsigned k = 0; k < count; k++) {
            if (atomic_exchange(&taken[k]->owned, true))
                return &nodes; /* two threads have popped it */
            taken[k]->visits++;
        }
        for (unsigned k = 0; k < count; k++) {
            atomic_store(&taken[k]->owned, false);
            ExInterlockedPushEntrySList(&head, &taken[k]->link, NULL);
        }
        atomic_fetch_add(&pushes, count);
    }
    return NULL;
}

static void four_threads(void **state)
{
    pthread_t threads[THREADS];
    unsigned  visits = 0, found = 0;

    (void)state;
    InitializeSListHead(&head);
    atomic_store(&pushes, 0);
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i].visits = 0;
        ExInterlockedPushEntrySList(&head, &nodes[i].link, NULL);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, play, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(head.HeaderX64.Depth, NODES);
    assert_int_equal(head.HeaderX64.Sequence, NODES + atomic_load(&pushes)); /* one each */
    for (PSLIST_ENTRY entry = ExInterlockedFlushSList(&head); entry != NULL; entry = entry->Next, found++)
        assert_false(atomic_exchange(&CONTAINING_RECORD(entry, node_t, link)->owned, true));
    assert_int_equal(found, NODES);
    for (unsigned i = 0; i < NODES; i++)
        visits += nodes[i].visits;
    assert_int_equal(visits, atomic_load(&pushes));
}

/* ---- a halted machine ---- */

static _Atomic int stage;

static void pop_until_there_is_one(void *unused)
{
    (void)unused;
    atomic_store(&stage, 1);
    (void)KeGetCurrentIrql(); /* it is a thread of the machine */
    while (ExInterlockedPopEntrySList(&head, NULL) == NULL)
        host_yield();
    atomic_store(&stage, 9);
}

static void *consume(void *out)
{
    ntmm_bugcheck stop;
    if (ntmm_catch_bugcheck(pop_until_there_is_one, NULL, &stop))
        *(uint32_t *)out = stop.code;
    return NULL;
}

static void who_polls_leaves_a_halted_machine(void **state)
{
    uint32_t  code = 0;
    pthread_t thread;

    (void)state;
    InitializeSListHead(&head);
    atomic_store(&stage, 0);
    assert_int_equal(pthread_create(&thread, NULL, consume, &code), 0);
    while (atomic_load(&stage) == 0)
        host_yield();
    host_sleep_ns(2000000);
    assert_bugcheck_code(MANUALLY_INITIATED_CRASH, KeBugCheck(MANUALLY_INITIATED_CRASH));
    pthread_join(thread, NULL);
    assert_int_equal(code, MANUALLY_INITIATED_CRASH);
    assert_int_equal(atomic_load(&stage), 1);
    assert_null(ExInterlockedPushEntrySList(&head, &e[0], NULL)); /* memory is memory, on a halted machine, too */
    assert_ptr_equal(ExInterlockedPopEntrySList(&head, NULL), &e[0]);
}

/* The fixture's own machine records who called, for which each call of pool takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_in_first_out),
        cmocka_unit_test(under_the_other_names),
        cmocka_unit_test(flushing),
        cmocka_unit_test(the_depth_wraps),
        cmocka_unit_test(the_same_entry_again_is_another_header),
        ntmm_cmocka_test(at_high_level),
        ntmm_cmocka_test(the_depth_at_dispatch_level),
        ntmm_cmocka_test(misaligned),
        ntmm_cmocka_test_config(an_entry_that_was_freed_while_on_the_list, &PLAIN),
        ntmm_cmocka_test_config(an_entry_that_another_thread_pops_and_frees, &PLAIN),
        ntmm_cmocka_test_config(entries_that_were_popped_and_freed_elsewhere, &PLAIN),
        cmocka_unit_test(four_threads),
        ntmm_cmocka_test(who_polls_leaves_a_halted_machine),
    };
    return cmocka_run_group_tests_name("ex slist", tests, NULL, NULL);
}
