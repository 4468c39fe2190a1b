/* test_ke_interrupt.c - interrupts that are fired, masked and delivered; their spin locks; connecting and disconnecting. */
#include "../support/ke_machine.h"

#include "ke/inject.h"

typedef struct device {
    PKINTERRUPT      interrupt;
    BOOLEAN          answer; /* what its service routine returns */
    _Atomic uint32_t served;
    KIRQL            irql;   /* at which it was served */
    bool             locked; /* the lock was held then */
    PKSPIN_LOCK      lock;
    KDPC             dpc;
    _Atomic uint32_t deferred;
    char             letter;
} device_t;

static device_t device;
static char     order[16];
static size_t   order_length;

static BOOLEAN serve(PKINTERRUPT interrupt, PVOID context)
{
    device_t *d = context;

    d->irql = KeGetCurrentIrql();
    d->locked = d->lock == NULL || !KeTestSpinLock(d->lock);
    if (d->interrupt != interrupt)
        return FALSE;
    order[order_length++ % sizeof order] = d->letter;
    atomic_fetch_add(&d->served, 1);
    if (d->dpc.DeferredRoutine != NULL)
        (void)KeInsertQueueDpc(&d->dpc, NULL, NULL);
    return d->answer;
}

static NTSTATUS connect(device_t *d, ULONG vector, KIRQL irql, KIRQL synchronize_irql, BOOLEAN share)
{
    return IoConnectInterrupt(&d->interrupt, serve, d, d->lock, vector, irql, synchronize_irql, Latched, share, 1, FALSE);
}

static int fresh(void **state)
{
    (void)state;
    device = (device_t){ .answer = TRUE, .letter = 'a' };
    memset(order, 0, sizeof order);
    order_length = 0;
    return ke_machine_boot(2);
}

/* ---- firing ---- */

static void an_interrupt_runs_its_service_routine(void **state)
{
    KSPIN_LOCK lock = 0;

    (void)state;
    device.lock = &lock;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    assert_true(ntmm_fire_interrupt(device.interrupt));
    assert_int_equal(device.served, 1);
    assert_int_equal(device.irql, 8);
    assert_true(device.locked);
    assert_int_equal(lock, 0);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    device.answer = FALSE;
    assert_false(ntmm_fire_interrupt(device.interrupt));
    assert_int_equal(device.served, 2);
    IoDisconnectInterrupt(device.interrupt);
}

static void count(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)dpc, (void)argument1, (void)argument2;
    atomic_fetch_add(&((device_t *)context)->deferred, 1);
}

static void its_dpc_runs_when_irql_drops(void **state)
{
    KIRQL old;

    (void)state;
    KeInitializeDpc(&device.dpc, count, &device);
    assert_int_equal(connect(&device, 5, 6, 6, FALSE), STATUS_SUCCESS);
    assert_true(ntmm_fire_interrupt(device.interrupt));
    assert_int_equal(device.deferred, 1);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(ntmm_fire_interrupt(device.interrupt));
    assert_int_equal(device.served, 2);
    assert_int_equal(device.deferred, 1);
    KeLowerIrql(old);
    assert_int_equal(device.deferred, 2);
}

static void a_masked_interrupt_waits(void **state)
{
    KIRQL old;

    (void)state;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    KeRaiseIrql(6, &old);
    assert_false(ntmm_fire_interrupt(device.interrupt));
    assert_false(ntmm_fire_interrupt(device.interrupt)); /* one is remembered */
    assert_int_equal(device.served, 0);
    KeLowerIrql(5);
    assert_int_equal(device.served, 1);
    assert_int_equal(device.irql, 8);
    assert_int_equal(KeGetCurrentIrql(), 5);
    KeLowerIrql(old);
    assert_int_equal(device.served, 1);
}

/* ---- by vector ---- */

static NTSTATUS connect_mode(device_t *d, ULONG vector, KIRQL irql, KINTERRUPT_MODE mode)
{
    return IoConnectInterrupt(&d->interrupt, serve, d, NULL, vector, irql, irql, mode, TRUE, 1, FALSE);
}

static void a_level_is_served_by_the_first_that_claims_it(void **state)
{
    device_t first = { .answer = FALSE, .letter = 'f' }, second = { .answer = TRUE, .letter = 's' },
             third = { .answer = TRUE, .letter = 't' };
    (void)state;
    assert_int_equal(connect_mode(&second, 9, 6, LevelSensitive), STATUS_SUCCESS); /* leaves the first slot to another */
    assert_int_equal(connect_mode(&first, 9, 6, LevelSensitive), STATUS_SUCCESS);
    IoDisconnectInterrupt(second.interrupt);
    assert_int_equal(connect_mode(&second, 9, 6, LevelSensitive), STATUS_SUCCESS);
    assert_int_equal(connect_mode(&third, 9, 6, LevelSensitive), STATUS_SUCCESS);
    assert_true(ntmm_fire_vector(9));
    assert_string_equal(order, "fs");
    second.answer = third.answer = FALSE;
    assert_false(ntmm_fire_vector(9));
    assert_string_equal(order, "fsfst");
}

static void an_edge_is_shown_to_all(void **state)
{
    device_t first = { .answer = TRUE, .letter = 'f' }, second = { .answer = FALSE, .letter = 's' };
    (void)state;
    assert_int_equal(connect_mode(&first, 9, 6, Latched), STATUS_SUCCESS);
    assert_int_equal(connect_mode(&second, 9, 7, Latched), STATUS_SUCCESS);
    assert_true(ntmm_fire_vector(9));
    assert_string_equal(order, "fs");
}

static void a_masked_vector_waits(void **state)
{
    device_t first = { .answer = FALSE, .letter = 'f' }, second = { .answer = TRUE, .letter = 's' },
             third = { .answer = TRUE, .letter = 't' };
    KIRQL old;
    (void)state;
    assert_int_equal(connect_mode(&first, 9, 6, LevelSensitive), STATUS_SUCCESS);
    assert_int_equal(connect_mode(&second, 9, 6, LevelSensitive), STATUS_SUCCESS);
    assert_int_equal(connect_mode(&third, 9, 6, LevelSensitive), STATUS_SUCCESS);
    KeRaiseIrql(6, &old);
    assert_false(ntmm_fire_vector(9));
    assert_string_equal(order, "");
    KeLowerIrql(old);
    assert_string_equal(order, "fs"); /* the second claimed it */
    KeRaiseIrql(6, &old);
    KeLowerIrql(old);
    assert_string_equal(order, "fs");
}

static void a_vector_that_nobody_has(void **state)
{
    (void)state;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    assert_false(ntmm_fire_vector(6));
    assert_non_null(strstr(ntmm_error(), "0x6"));
    assert_true(ntmm_fire_vector(5));
    IoDisconnectInterrupt(device.interrupt);
    assert_false(ntmm_fire_vector(5));
}

static void masked_interrupts_come_highest_first(void **state)
{
    device_t low = { .answer = TRUE, .letter = 'l' }, middle = { .answer = TRUE, .letter = 'm' }, high = { .answer = TRUE, .letter = 'h' };
    KIRQL    old;

    (void)state;
    assert_int_equal(connect(&low, 1, 3, 3, FALSE), STATUS_SUCCESS);
    assert_int_equal(connect(&middle, 2, 5, 5, FALSE), STATUS_SUCCESS);
    assert_int_equal(connect(&high, 3, 9, 9, FALSE), STATUS_SUCCESS);
    KeRaiseIrql(HIGH_LEVEL, &old);
    (void)ntmm_fire_interrupt(middle.interrupt);
    (void)ntmm_fire_interrupt(low.interrupt);
    (void)ntmm_fire_interrupt(high.interrupt);
    KeLowerIrql(9);
    assert_string_equal(order, "");
    KeLowerIrql(4);
    assert_string_equal(order, "hm");
    KeLowerIrql(DISPATCH_LEVEL);
    assert_string_equal(order, "hml");
    KeLowerIrql(old);
    assert_int_equal(atomic_load(&ke_processors[0].pending), 0);
}

static void a_masked_interrupt_is_served_before_the_dpcs(void **state)
{
    KIRQL old;

    (void)state;
    KeInitializeDpc(&device.dpc, count, &device);
    assert_int_equal(connect(&device, 5, 6, 6, FALSE), STATUS_SUCCESS);
    KeRaiseIrql(10, &old);
    (void)ntmm_fire_interrupt(device.interrupt);
    KeLowerIrql(old);
    assert_int_equal(device.served, 1);
    assert_int_equal(device.deferred, 1);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static BOOLEAN return_higher(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt, (void)context;
    (void)KzRaiseIrql(HIGH_LEVEL);
    return TRUE;
}

static void a_service_routine_returns_at_its_irql(void **state)
{
    PKINTERRUPT interrupt;

    (void)state;
    assert_int_equal(IoConnectInterrupt(&interrupt, return_higher, NULL, NULL, 1, 4, 4, LevelSensitive, FALSE, 1, FALSE), STATUS_SUCCESS);
    assert_stop(IRQL_UNEXPECTED_VALUE, HIGH_LEVEL << 16 | 4 << 8, ntmm_fire_interrupt(interrupt));
    assert_int_equal(last_stop.parameter[1], (uintptr_t)return_higher);
    assert_int_equal(last_stop.parameter[2], (uintptr_t)interrupt);
}

/* ---- the lock ---- */

static BOOLEAN look(PVOID context)
{
    device_t *d = context;

    d->irql = KeGetCurrentIrql();
    d->locked = !KeTestSpinLock(d->lock);
    return d->answer;
}

static void synchronized_execution_is_like_the_service_routine(void **state)
{
    KSPIN_LOCK lock = 0;

    (void)state;
    device.lock = &lock;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    assert_true(KeSynchronizeExecution(device.interrupt, look, &device));
    assert_int_equal(device.irql, 8);
    assert_true(device.locked);
    assert_true(KeTestSpinLock(&lock));
    device.answer = FALSE;
    assert_false(KeSynchronizeExecution(device.interrupt, look, &device));
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void the_interrupt_spin_lock(void **state)
{
    KIRQL old;

    (void)state;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    old = KeAcquireInterruptSpinLock(device.interrupt);
    assert_int_equal(old, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), 8);
    assert_false(ntmm_fire_interrupt(device.interrupt)); /* masked, and so no deadlock */
    assert_int_equal(device.served, 0);
    KeReleaseInterruptSpinLock(device.interrupt, old);
    assert_int_equal(device.served, 1);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static BOOLEAN take_again(PVOID interrupt)
{
    (void)KeAcquireInterruptSpinLock(interrupt);
    return TRUE;
}

static void the_interrupt_spin_lock_is_not_recursive(void **state)
{
    KSPIN_LOCK lock = 0;

    (void)state;
    device.lock = &lock;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    assert_stop(SPIN_LOCK_ALREADY_OWNED, &lock, KeSynchronizeExecution(device.interrupt, take_again, device.interrupt));
}

static void the_interrupt_spin_lock_is_released_by_its_holder(void **state)
{
    KSPIN_LOCK lock = 0;

    (void)state;
    device.lock = &lock;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    assert_stop(SPIN_LOCK_NOT_OWNED, &lock, KeReleaseInterruptSpinLock(device.interrupt, PASSIVE_LEVEL));
}

static void the_interrupt_spin_lock_above_its_irql(void **state)
{
    (void)state;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    (void)KzRaiseIrql(9);
    assert_stop(IRQL_NOT_GREATER_OR_EQUAL, 8, KeAcquireInterruptSpinLock(device.interrupt));
}

static void synchronized_execution_above_its_irql(void **state)
{
    (void)state;
    assert_int_equal(connect(&device, 5, 6, 8, FALSE), STATUS_SUCCESS);
    (void)KzRaiseIrql(9);
    assert_stop(IRQL_NOT_GREATER_OR_EQUAL, 8, KeSynchronizeExecution(device.interrupt, look, &device));
}

/* ---- two threads ---- */

#define ROUNDS 10000

static uint64_t          counter; /* plain: protected by the interrupt's lock */
static pthread_barrier_t together;

static BOOLEAN count_interrupt(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt, (void)context;
    counter++;
    return TRUE;
}

static BOOLEAN count_call(PVOID context)
{
    (void)context;
    counter++;
    return TRUE;
}

static void *fire_many(void *interrupt)
{
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++)
        (void)ntmm_fire_interrupt(interrupt);
    return NULL;
}

static void *synchronize_many(void *interrupt)
{
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++)
        (void)KeSynchronizeExecution(interrupt, count_call, NULL);
    return NULL;
}

static void service_and_synchronized_execution_exclude(void **state)
{
    PKINTERRUPT interrupt;
    pthread_t   threads[2];

    (void)state;
    counter = 0;
    assert_int_equal(IoConnectInterrupt(&interrupt, count_interrupt, NULL, NULL, 1, 4, 4, LevelSensitive, FALSE, 1, FALSE), STATUS_SUCCESS);
    pthread_barrier_init(&together, NULL, 2);
    threads[0] = thread_run(fire_many, interrupt);
    threads[1] = thread_run(synchronize_many, interrupt);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    assert_int_equal(counter, 2 * ROUNDS);
    IoDisconnectInterrupt(interrupt);
}

/* ---- connecting ---- */

static struct connect_case {
    const char *name;
    KIRQL       irql, synchronize_irql;
    NTSTATUS    status;
} CONNECTS[] = {
    { "connect: the lowest DIRQL", 3, 3, STATUS_SUCCESS },
    { "connect: the highest", HIGH_LEVEL, HIGH_LEVEL, STATUS_SUCCESS },
    { "connect: at PASSIVE_LEVEL", PASSIVE_LEVEL, PASSIVE_LEVEL, STATUS_INVALID_PARAMETER },
    { "connect: at DISPATCH_LEVEL", DISPATCH_LEVEL, DISPATCH_LEVEL, STATUS_INVALID_PARAMETER },
    { "connect: synchronized below DIRQL", 6, 5, STATUS_INVALID_PARAMETER },
    { "connect: synchronized above HIGH_LEVEL", 6, HIGH_LEVEL + 1, STATUS_INVALID_PARAMETER },
};

static void check_connect(void **state)
{
    const struct connect_case *c = *state;

    fresh(NULL);
    device.interrupt = (PKINTERRUPT)(void *)&device;
    assert_int_equal(connect(&device, 5, c->irql, c->synchronize_irql, FALSE), c->status);
    assert_int_equal(device.interrupt != NULL, c->status == STATUS_SUCCESS);
    assert_true(ke_machine_shutdown());
}

static void a_vector_is_shared_if_all_agree(void **state)
{
    device_t second = { .answer = TRUE }, third = { .answer = TRUE };

    (void)state;
    assert_int_equal(connect(&device, 5, 6, 6, TRUE), STATUS_SUCCESS);
    assert_int_equal(connect(&second, 5, 6, 6, FALSE), STATUS_INVALID_PARAMETER);
    assert_int_equal(connect(&second, 5, 6, 6, TRUE), STATUS_SUCCESS);
    assert_int_equal(connect(&third, 6, 6, 6, FALSE), STATUS_SUCCESS);
    IoDisconnectInterrupt(third.interrupt);
    assert_int_equal(connect(&third, 6, 6, 6, TRUE), STATUS_SUCCESS);
    assert_int_equal(connect(&(device_t){ 0 }, 6, 6, 6, FALSE), STATUS_INVALID_PARAMETER);
}

static void there_is_an_end_to_interrupts(void **state)
{
    device_t devices[257] = { 0 };

    (void)state;
    for (ULONG i = 0; i < 256; i++)
        assert_int_equal(connect(&devices[i], i, 6, 6, FALSE), STATUS_SUCCESS);
    assert_int_equal(connect(&devices[256], 256, 6, 6, FALSE), STATUS_INSUFFICIENT_RESOURCES);
    IoDisconnectInterrupt(devices[7].interrupt);
    assert_int_equal(connect(&devices[256], 256, 6, 6, FALSE), STATUS_SUCCESS);
}

static void a_connect_can_be_made_to_fail(void **state)
{
    (void)state;
    ke_inject_arm(1);
    assert_int_equal(connect(&device, 5, 6, 6, FALSE), STATUS_INSUFFICIENT_RESOURCES);
    assert_null(device.interrupt);
    assert_int_equal(connect(&device, 5, 6, 6, FALSE), STATUS_SUCCESS);
    ke_inject_arm(0);
}

static void a_disconnected_interrupt_is_refused(void **state)
{
    PKINTERRUPT gone;
    KIRQL       old;

    (void)state;
    assert_int_equal(connect(&device, 5, 6, 6, FALSE), STATUS_SUCCESS);
    gone = device.interrupt;
    KeRaiseIrql(8, &old);
    (void)ntmm_fire_interrupt(gone);
    KeLowerIrql(7); /* still masked */
    KeLowerIrql(old);
    assert_int_equal(device.served, 1);
    IoDisconnectInterrupt(gone);
    assert_false(ntmm_fire_interrupt(gone));
    assert_non_null(strstr(ntmm_error(), "is no connected interrupt"));
    assert_false(KeSynchronizeExecution(gone, look, &device));
    assert_int_equal(KeAcquireInterruptSpinLock(gone), PASSIVE_LEVEL);
    KeReleaseInterruptSpinLock(gone, PASSIVE_LEVEL);
    IoDisconnectInterrupt(gone);
    assert_false(ntmm_fire_interrupt(NULL));
    assert_int_equal(device.served, 1);
}

static void connecting_is_for_passive_level(void **state)
{
    ntmm_catch_frame frame;

    (void)state;
    (void)KzRaiseIrql(APC_LEVEL);
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        (void)connect(&device, 5, 6, 6, FALSE);
        fail();
    }
    assert_int_equal(frame.stop.code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(frame.stop.parameter[1], APC_LEVEL);
}

static void disconnecting_is_for_passive_level(void **state)
{
    ntmm_catch_frame frame;

    (void)state;
    assert_int_equal(connect(&device, 5, 6, 6, FALSE), STATUS_SUCCESS);
    (void)KeRaiseIrqlToDpcLevel();
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        IoDisconnectInterrupt(device.interrupt);
        fail();
    }
    assert_int_equal(frame.stop.code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(frame.stop.parameter[1], DISPATCH_LEVEL);
}

static void without_a_machine_nothing_is_connected(void **state)
{
    (void)state;
    device.interrupt = (PKINTERRUPT)(void *)&device;
    assert_int_equal(connect(&device, 5, 6, 6, FALSE), STATUS_UNSUCCESSFUL);
    assert_null(device.interrupt);
    assert_false(ntmm_fire_interrupt(device.interrupt));
    assert_false(KeSynchronizeExecution(device.interrupt, look, &device));
    IoDisconnectInterrupt(device.interrupt);
    assert_non_null(strstr(ntmm_error(), "IoDisconnectInterrupt: no machine is up"));
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(without_a_machine_nothing_is_connected),
        cmocka_unit_test_setup_teardown(an_interrupt_runs_its_service_routine, fresh, shut_down),
        cmocka_unit_test_setup_teardown(its_dpc_runs_when_irql_drops, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_masked_interrupt_waits, fresh, shut_down),
        cmocka_unit_test_setup_teardown(masked_interrupts_come_highest_first, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_level_is_served_by_the_first_that_claims_it, fresh, shut_down),
        cmocka_unit_test_setup_teardown(an_edge_is_shown_to_all, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_masked_vector_waits, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_vector_that_nobody_has, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_masked_interrupt_is_served_before_the_dpcs, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_service_routine_returns_at_its_irql, fresh, shut_down),
        cmocka_unit_test_setup_teardown(synchronized_execution_is_like_the_service_routine, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_interrupt_spin_lock, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_interrupt_spin_lock_is_not_recursive, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_interrupt_spin_lock_is_released_by_its_holder, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_interrupt_spin_lock_above_its_irql, fresh, shut_down),
        cmocka_unit_test_setup_teardown(synchronized_execution_above_its_irql, fresh, shut_down),
        cmocka_unit_test_setup_teardown(service_and_synchronized_execution_exclude, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_vector_is_shared_if_all_agree, fresh, shut_down),
        cmocka_unit_test_setup_teardown(there_is_an_end_to_interrupts, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_connect_can_be_made_to_fail, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_disconnected_interrupt_is_refused, fresh, shut_down),
        cmocka_unit_test_setup_teardown(connecting_is_for_passive_level, fresh, shut_down),
        cmocka_unit_test_setup_teardown(disconnecting_is_for_passive_level, fresh, shut_down),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), CONNECT_COUNT = NTMM_ARRAY_COUNT(CONNECTS) };
    struct CMUnitTest tests[FIXED_COUNT + CONNECT_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < CONNECT_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = CONNECTS[i].name, .test_func = check_connect, .initial_state = &CONNECTS[i] };
    return cmocka_run_group_tests_name("ke interrupt", tests, NULL, NULL);
}
