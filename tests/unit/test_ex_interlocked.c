/*
 * test_ex_interlocked.c - lists and counters under a spin lock, from any IRQL and from a service routine, and the interlocked words that need
 * no lock.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <ntmm/cmocka.h>

static KSPIN_LOCK        lock;
static LIST_ENTRY        head, e[4];
static SINGLE_LIST_ENTRY top, s[3];

static int fresh(void **state)
{
    *state = NULL;
    KeInitializeSpinLock(&lock);
    memset(e, 0x55, sizeof e);
    memset(s, 0x55, sizeof s);
    InitializeListHead(&head);
    top.Next = NULL;
    return ntmm_cmocka_setup(state);
}
#define test(name) cmocka_unit_test_setup_teardown(name, fresh, ntmm_cmocka_teardown)

/* ---- what each does ---- */

static void insert_and_remove(void)
{
    assert_null(ExInterlockedRemoveHeadList(&head, &lock)); /* where RemoveHeadList returns the head */
    assert_null(ExInterlockedInsertHeadList(&head, &e[0], &lock));
    assert_ptr_equal(ExInterlockedInsertHeadList(&head, &e[1], &lock), &e[0]);
    assert_ptr_equal(ExInterlockedInsertTailList(&head, &e[2], &lock), &e[0]);
    assert_ptr_equal(head.Flink, &e[1]);
    assert_ptr_equal(head.Blink, &e[2]);
    assert_ptr_equal(e[0].Blink, &e[1]);
    assert_ptr_equal(e[0].Flink, &e[2]);
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[1]);
    assert_ptr_equal(e[1].Flink, &e[0]); /* its own links stay */
    assert_ptr_equal(e[1].Blink, &head);
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[0]);
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[2]);
    assert_null(ExInterlockedRemoveHeadList(&head, &lock));
    assert_null(ExInterlockedInsertTailList(&head, &e[3], &lock));
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[3]);
    assert_true(IsListEmpty(&head));
}

static void push_and_pop(void)
{
    assert_null(ExInterlockedPopEntryList(&top, &lock));
    assert_null(ExInterlockedPushEntryList(&top, &s[0], &lock));
    assert_ptr_equal(ExInterlockedPushEntryList(&top, &s[1], &lock), &s[0]);
    assert_ptr_equal(ExInterlockedPopEntryList(&top, &lock), &s[1]);
    assert_ptr_equal(s[1].Next, &s[0]);
    assert_ptr_equal(ExInterlockedPopEntryList(&top, &lock), &s[0]);
    assert_null(ExInterlockedPopEntryList(&top, &lock));
}

static void add(void)
{
    ULONG         number = 0xfffffffe;
    LARGE_INTEGER large = { .QuadPart = INT64_MAX }, two = { .QuadPart = 2 };

    assert_int_equal(ExInterlockedAddUlong(&number, 3, &lock), 0xfffffffe);
    assert_int_equal(number, 1); /* around */
    assert_int_equal(ExInterlockedAddUlong(&number, 0, &lock), 1);
    assert_true(ExInterlockedAddLargeInteger(&large, two, &lock).QuadPart == INT64_MAX);
    assert_true(large.QuadPart == INT64_MIN + 1);
}

static void all_of_them_at(KIRQL irql)
{
    KIRQL old;

    KeRaiseIrql(irql, &old);
    insert_and_remove();
    push_and_pop();
    add();
    assert_irql(irql);
    assert_true(KeTestSpinLock(&lock));
    KeLowerIrql(old);
}

static void at_every_irql(void **state)
{
    (void)state;
    for (int irql = PASSIVE_LEVEL; irql <= HIGH_LEVEL; irql++)
        all_of_them_at((KIRQL)irql);
}

static void refused_without_a_machine(void **state)
{
    ULONG         number = 5;
    LARGE_INTEGER large = { .QuadPart = 5 };

    (void)state;
    InitializeListHead(&head);
    top.Next = NULL;
    lock = 0;
    assert_null(ExInterlockedInsertHeadList(&head, &e[0], &lock));
    assert_non_null(strstr(ntmm_error(), "ExInterlockedInsertHeadList: no machine is up"));
    assert_null(ExInterlockedInsertTailList(&head, &e[0], &lock));
    assert_null(ExInterlockedRemoveHeadList(&head, &lock));
    assert_null(ExInterlockedPushEntryList(&top, &s[0], &lock));
    assert_null(ExInterlockedPopEntryList(&top, &lock));
    assert_int_equal(ExInterlockedAddUlong(&number, 1, &lock), 0);
    assert_int_equal(ExInterlockedAddLargeInteger(&large, large, &lock).QuadPart, 0);
    assert_true(IsListEmpty(&head));
    assert_null(top.Next);
    assert_int_equal(number, 5);
    assert_int_equal(large.QuadPart, 5);
    assert_int_equal(lock, 0);
}

/* ---- with a service routine ---- */

static BOOLEAN serve(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt;
    ExInterlockedInsertTailList(&head, context, &lock);
    return TRUE;
}

static void shared_with_a_service_routine(void **state)
{
    PKINTERRUPT interrupt;

    (void)state;
    assert_int_equal(IoConnectInterrupt(&interrupt, serve, &e[1], NULL, 7, 6, 6, Latched, FALSE, 1, FALSE), STATUS_SUCCESS);
    ExInterlockedInsertTailList(&head, &e[0], &lock);
    assert_true(ntmm_fire_interrupt(interrupt));
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[0]);
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[1]);
    IoDisconnectInterrupt(interrupt);
}

/* ---- the mistakes ---- */

static void hold(void) { KeAcquireSpinLockAtDpcLevel(&lock); }
static void nothing(void) {}
static void first_forgets(void)
{
    InsertTailList(&head, &e[0]);
    e[0].Blink = &e[1];
}
static void last_forgets(void)
{
    InsertTailList(&head, &e[0]);
    InsertTailList(&head, &e[1]);
    e[1].Flink = &e[0];
}
static void successor_forgets(void)
{
    InsertTailList(&head, &e[0]);
    InsertTailList(&head, &e[1]);
    e[1].Blink = &head;
}

static void          insert_head(void) { ExInterlockedInsertHeadList(&head, &e[3], &lock); }
static void          insert_tail(void) { ExInterlockedInsertTailList(&head, &e[3], &lock); }
static void          remove_head(void) { ExInterlockedRemoveHeadList(&head, &lock); }
static void          push(void) { ExInterlockedPushEntryList(&top, &s[0], &lock); }
static void          pop(void) { ExInterlockedPopEntryList(&top, &lock); }
static ULONG         ulong_counter;
static LARGE_INTEGER large_counter;
static void          add_ulong(void) { ExInterlockedAddUlong(&ulong_counter, 1, &lock); }
static void          add_large(void) { ExInterlockedAddLargeInteger(&large_counter, large_counter, &lock); }
static void          release_unheld(void) { KeReleaseSpinLockFromDpcLevel(&lock); }

static struct mistake_case {
    const char *name;
    void (*before)(void);
    void (*call)(void);
    ULONG code;
} MISTAKES[] = {
    { "0xF: ExInterlockedInsertHeadList with the lock held", hold, insert_head, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: ExInterlockedInsertTailList with the lock held", hold, insert_tail, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: ExInterlockedRemoveHeadList with the lock held", hold, remove_head, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: ExInterlockedPushEntryList with the lock held", hold, push, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: ExInterlockedPopEntryList with the lock held", hold, pop, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: ExInterlockedAddUlong with the lock held", hold, add_ulong, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: ExInterlockedAddLargeInteger with the lock held", hold, add_large, SPIN_LOCK_ALREADY_OWNED },
    { "0x10: the lock is free again after a call", insert_head, release_unheld, SPIN_LOCK_NOT_OWNED },
    { "0x139/3: ExInterlockedInsertHeadList, the first entry names another", first_forgets, insert_head, KERNEL_SECURITY_CHECK_FAILURE },
    { "0x139/3: ExInterlockedInsertTailList, the last entry names another", last_forgets, insert_tail, KERNEL_SECURITY_CHECK_FAILURE },
    { "0x139/3: ExInterlockedRemoveHeadList, the first entry names another", first_forgets, remove_head, KERNEL_SECURITY_CHECK_FAILURE },
    { "0x139/3: ExInterlockedRemoveHeadList, the second entry names another", successor_forgets, remove_head,
      KERNEL_SECURITY_CHECK_FAILURE },
    { "0x139 from none of them: a sound list", nothing, remove_head, 0 },
};

static void check_mistake(void **state)
{
    const struct mistake_case *c = *state;
    void                      *none = NULL;

    assert_int_equal(fresh(&none), 0);
    c->before();
    if (c->code == 0) {
        assert_no_bugcheck(c->call());
    } else if (c->code == KERNEL_SECURITY_CHECK_FAILURE) {
        assert_bugcheck(c->code, FAST_FAIL_CORRUPT_LIST_ENTRY, c->call());
        assert_int_equal(ntmm_cmocka_caught.parameter[1], 0);
        assert_int_equal(ntmm_cmocka_caught.parameter[3], 0);
        assert_int_equal(((const EXCEPTION_RECORD *)ntmm_cmocka_caught.parameter[2])->ExceptionInformation[0],
                         FAST_FAIL_CORRUPT_LIST_ENTRY);
        assert_int_equal(ntmm_cmocka_caught.irql, HIGH_LEVEL);
    } else {
        assert_bugcheck(c->code, &lock, c->call());
    }
    ntmm_shutdown(NULL);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 5000 };

static LIST_ENTRY        crowd[THREADS];
static SINGLE_LIST_ENTRY single_crowd[THREADS];
static KSPIN_LOCK        other_lock;
static ULONG             sum;
static LARGE_INTEGER     large_sum;

static void *work(void *argument)
{
    size_t             me = (size_t)argument, sum_of_mine = 0;
    PLIST_ENTRY        entry = &crowd[me];
    PSINGLE_LIST_ENTRY single = &single_crowd[me];
    LARGE_INTEGER      one = { .QuadPart = 1 };

    for (unsigned i = 0; i < ROUNDS; i++) {
        (i % 2 == 0 ? ExInterlockedInsertHeadList : ExInterlockedInsertTailList)(&head, entry, &lock);
        ExInterlockedPushEntryList(&top, single, &other_lock);
        sum_of_mine += ExInterlockedAddUlong(&sum, 1, &lock) < THREADS * ROUNDS;
        ExInterlockedAddLargeInteger(&large_sum, one, &other_lock);
        entry = ExInterlockedRemoveHeadList(&head, &lock);
        single = ExInterlockedPopEntryList(&top, &other_lock);
        if (entry == NULL || single == NULL)
            return &sum;
    }
    return sum_of_mine == ROUNDS ? NULL : &sum;
}

static void four_threads(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    sum = 0;
    large_sum.QuadPart = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(sum, THREADS * ROUNDS);
    assert_int_equal(large_sum.QuadPart, THREADS * ROUNDS);
    assert_true(IsListEmpty(&head));
    assert_null(top.Next);
}

/* ---- words that need no lock, and no machine ---- */

static void words(void **state)
{
    LONG   n = 10;
    LONG64 w = INT64_C(1) << 40;

    (void)state;
    assert_int_equal(InterlockedIncrement(&n), 11);
    assert_int_equal(InterlockedDecrement(&n), 10);
    assert_int_equal(InterlockedAdd(&n, -4), 6);
    assert_int_equal(InterlockedExchangeAdd(&n, 4), 6);
    assert_int_equal(InterlockedExchange(&n, 0x0f), 10);
    assert_int_equal(InterlockedAnd(&n, 0x3c), 0x0f);
    assert_int_equal(InterlockedOr(&n, 0x30), 0x0c);
    assert_int_equal(InterlockedXor(&n, 0x3f), 0x3c);
    assert_int_equal(n, 0x03);
    assert_int_equal(InterlockedCompareExchange(&n, 9, 4), 3); /* another value: stays */
    assert_int_equal(n, 3);
    assert_int_equal(InterlockedCompareExchange(&n, 9, 3), 3);
    assert_int_equal(n, 9);
    assert_true(InterlockedIncrement64(&w) == (INT64_C(1) << 40) + 1);
    assert_true(InterlockedExchangeAdd64(&w, INT64_C(1) << 41) == (INT64_C(1) << 40) + 1);
    assert_true(InterlockedAnd64(&w, ~INT64_C(1)) == (INT64_C(3) << 40) + 1);
    assert_true(InterlockedCompareExchange64(&w, 5, INT64_C(3) << 40) == INT64_C(3) << 40);
    assert_true(InterlockedExchange64(&w, -1) == 5);
    assert_true(InterlockedDecrement64(&w) == -2);
}

static void words_wrap(void **state)
{
    LONG   n = MAXLONG;
    LONG64 w = INT64_MIN;

    (void)state;
    assert_int_equal(InterlockedIncrement(&n), (LONG)0x80000000);
    assert_int_equal(InterlockedDecrement(&n), MAXLONG);
    assert_true(InterlockedDecrement64(&w) == INT64_MAX);
}

static void pointers_and_bits(void **state)
{
    int    a, b;
    PVOID  p = &a;
    LONG   bits[2] = { 0, 0 };
    LONG64 w = 3, five = 5, three = 3;

    (void)state;
    assert_ptr_equal(InterlockedExchangePointer(&p, &b), &a);
    assert_ptr_equal(InterlockedCompareExchangePointer(&p, &a, NULL), &b);
    assert_ptr_equal(p, &b);
    assert_ptr_equal(InterlockedCompareExchangePointer(&p, NULL, &b), &b);
    assert_null(p);
    assert_int_equal(InterlockedBitTestAndSet(bits, 31), 0);
    assert_int_equal(InterlockedBitTestAndSet(bits, 31), 1);
    assert_int_equal(bits[0], (LONG)0x80000000);
    assert_int_equal(InterlockedBitTestAndSet(bits, 32), 0);
    assert_int_equal(bits[1], 1);
    assert_int_equal(InterlockedBitTestAndReset(&bits[1], -1), 1);
    assert_int_equal(bits[0], 0);
    assert_int_equal(ExInterlockedCompareExchange64(&w, &five, &three, &lock), 3);
    assert_int_equal(w, 5);
    assert_int_equal(ExInterlockedCompareExchange64(&w, &three, &three, NULL), 5);
    assert_int_equal(w, 5);
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(words_wrap),
        cmocka_unit_test(pointers_and_bits),
        test(at_every_irql),
        cmocka_unit_test(refused_without_a_machine),
        test(shared_with_a_service_routine),
        test(four_threads),
    };
    enum { FIXED_COUNT = sizeof FIXED / sizeof FIXED[0], MISTAKE_COUNT = sizeof MISTAKES / sizeof MISTAKES[0] };
    struct CMUnitTest tests[FIXED_COUNT + MISTAKE_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < MISTAKE_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = MISTAKES[i].name, .test_func = check_mistake, .initial_state = &MISTAKES[i] };
    return cmocka_run_group_tests_name("ex interlocked", tests, NULL, NULL);
}
