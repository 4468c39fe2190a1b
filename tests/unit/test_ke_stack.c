/*
 * test_ke_stack.c - kernel stacks: how large, what lies below, what drivers hear of them, and every way to leave one.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>
#include <pthread.h>
#include <stdlib.h>

#include "host/stack.h"
#include "ke/stack.h"
#include "ke/thread.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define DEEPER_IS_A_FIBER 1 /* which ThreadSanitizer lets no longjmp() leave */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DEEPER_IS_A_FIBER 1
#endif
#endif
#ifndef DEEPER_IS_A_FIBER
#define DEEPER_IS_A_FIBER 0
#endif

#define STACK_BYTES ((KERNEL_STACK_SIZE * host_stack_factor() + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE)
#define FRAME ((uintptr_t)__builtin_frame_address(0))
#define APART __attribute__((noinline))

static int  times;
static void count(void *by) { times += by != NULL ? *(int *)by : 1; }

static uint64_t committed(void)
{
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    return usage.committed;
}

static void *on_a_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    void     *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    pthread_join(thread, &result);
    return result;
}

/* ---- size and limits ---- */

static void look_around(void *out)
{
    uintptr_t low, high, *seen = out;
    IoGetStackLimits(&low, &high);
    seen[0] = low;
    seen[1] = high;
    assert_true(low < FRAME && FRAME < high);
    assert_int_equal(high - low, STACK_BYTES);
    assert_int_equal(low % PAGE_SIZE, 0);
    assert_ptr_equal(IoGetInitialStack(), high);
    ULONG_PTR left = IoGetRemainingStackSize();
    assert_true(left < FRAME - low && left > FRAME - low - 256);
    assert_true(IoWithinStackLimits(low, STACK_BYTES));
    assert_true(IoWithinStackLimits((ULONG_PTR)&low, sizeof low));
    assert_false(IoWithinStackLimits(low - 1, 2));
    assert_false(IoWithinStackLimits(low - 1, 1));
    assert_false(IoWithinStackLimits(high - 1, 2));
    assert_true(IoWithinStackLimits((ULONG_PTR)out, 2 * sizeof low)); /* the host's is the thread's, too */
    assert_false(IoWithinStackLimits((ULONG_PTR)&times, sizeof times));
    assert_true(MmIsAddressValid((PVOID)low));
    assert_false(MmIsAddressValid((PVOID)(low - 1)));
    assert_int_not_equal(MmGetPhysicalAddress(&low).QuadPart, 0);
}

static void a_stack_of_the_documented_size(void **state)
{
    uintptr_t seen[2] = { 0 };
    (void)state;
    uint64_t before = committed();
    assert_true(ntmm_on_kernel_stack(look_around, seen));
    assert_true(seen[0] != 0 && (FRAME < seen[0] || FRAME >= seen[1]));
    assert_int_equal(committed() - before, STACK_BYTES / PAGE_SIZE); /* kept for the next one */
    assert_true(ntmm_on_kernel_stack(look_around, seen));
    assert_int_equal(committed() - before, STACK_BYTES / PAGE_SIZE);
    assert_true(ntmm_check());
}

static void the_bytes_are_those_of_frames(void *unused)
{
    volatile char   here[64] = "a word on the stack";
    char            copy[64] = { 0 };
    SIZE_T          copied;
    MM_COPY_ADDRESS from;
    (void)unused;
    from.PhysicalAddress = MmGetPhysicalAddress((PVOID)(uintptr_t)here);
    assert_int_equal(MmCopyMemory(copy, from, 20, MM_COPY_MEMORY_PHYSICAL, &copied), STATUS_SUCCESS);
    assert_string_equal(copy, "a word on the stack");
}

static void memory_of_the_machine(void **state)
{
    (void)state;
    assert_true(ntmm_on_kernel_stack(the_bytes_are_those_of_frames, NULL));
}

static void the_hosts_stack(void **state)
{
    uintptr_t low, high;
    (void)state;
    IoGetStackLimits(&low, &high);
    assert_true(low < FRAME && FRAME < high);
    assert_ptr_equal(IoGetInitialStack(), high);
    ULONG_PTR left = IoGetRemainingStackSize();
    assert_true(left < FRAME - low && left > FRAME - low - 256);
    assert_true(IoWithinStackLimits((ULONG_PTR)&low, sizeof low));
    assert_false(IoWithinStackLimits((ULONG_PTR)&times, sizeof times));
    assert_false(IoWithinStackLimits(high - 4, 8));
}

static void *ask_on_a_thread(void *unused)
{
    the_hosts_stack(unused);
    return NULL;
}

static void limits_of_another_thread(void **state) { on_a_thread(ask_on_a_thread, state); }

static void at_which_irql(void **state)
{
    ULONG_PTR low, high;
    KIRQL     old;
    (void)state;
    KeRaiseIrql(HIGH_LEVEL, &old);
    IoGetStackLimits(&low, &high);
    assert_true(IoGetRemainingStackSize() < high - low);
    assert_true(RtlCaptureStackBackTrace(0, 1, (PVOID[1]){ 0 }, NULL) <= 1);
    KeLowerIrql(old);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(ntmm_on_kernel_stack(count, NULL));
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoGetInitialStack());
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoWithinStackLimits(0, 0));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeSetKernelStackSwapEnable(FALSE));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeExpandKernelStackAndCallout(count, NULL, 1));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeExpandKernelStackAndCalloutEx(count, NULL, 1, FALSE, NULL));
}

static void boot_older(uint32_t version)
{
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = version }), 0);
}

/* What may be asked at any IRQL today once needed APC_LEVEL; and so did the expansion of a stack. */
static void at_which_irql_once(void **state)
{
    ULONG_PTR low, high;
    KIRQL     old;
    (void)state;
    for (volatile int row = 0; row < 3; row++) {
        boot_older(row < 2 ? NTDDI_WS03 : NTDDI_VISTA);
        KeRaiseIrql(APC_LEVEL, &old);
        IoGetStackLimits(&low, &high);
        assert_true(IoGetRemainingStackSize() < high - low);
        assert_int_equal(KeExpandKernelStackAndCalloutEx(count, NULL, 1, FALSE, NULL), STATUS_SUCCESS);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
            if (row == 0)
                IoGetStackLimits(&low, &high);
            else if (row == 1)
                (void)IoGetRemainingStackSize();
            else
                KeExpandKernelStackAndCalloutEx(count, NULL, 1, FALSE, NULL);
        });
    }
    boot_older(NTDDI_WS03SP1);
    KeRaiseIrql(HIGH_LEVEL, &old);
    IoGetStackLimits(&low, &high);
    assert_true(IoGetRemainingStackSize() < high - low);
    KeLowerIrql(old);
    boot_older(NTDDI_WIN7);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(KeExpandKernelStackAndCalloutEx(count, NULL, 1, FALSE, NULL), STATUS_SUCCESS);
    assert_int_equal(KeExpandKernelStackAndCalloutEx(count, NULL, 1, TRUE, NULL), STATUS_INVALID_PARAMETER_4);
    KeLowerIrql(old);
}

static void swapping_is_remembered(void **state)
{
    (void)state;
    assert_true(KeSetKernelStackSwapEnable(FALSE));
    assert_false(KeSetKernelStackSwapEnable(FALSE));
    assert_false(KeSetKernelStackSwapEnable(TRUE));
    assert_true(KeSetKernelStackSwapEnable(FALSE));
    ntmm_cmocka_reboot();
    assert_true(KeSetKernelStackSwapEnable(TRUE));
}

static void no_machine_no_stack(void **state)
{
    (void)state;
    times = 0;
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_false(ntmm_on_kernel_stack(count, NULL));
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .physical_memory = 16 << 20, .unbacked_ram = true }), 0);
    assert_false(ntmm_on_kernel_stack(count, NULL));
    assert_non_null(strstr(ntmm_error(), "kernel stack"));
    assert_int_equal(times, 0);
}

static void shut_down(void *result) { *(size_t *)result = ntmm_shutdown(NULL); }

static void the_machine_does_not_go_under_its_stack(void **state)
{
    size_t result = 0;
    (void)state;
    assert_true(ntmm_on_kernel_stack(shut_down, &result));
    assert_int_equal(result, SIZE_MAX);
    assert_non_null(strstr(ntmm_error(), "kernel stack"));
}

static void all_memory_is_taken(void **state)
{
    size_t taken = 0;
    (void)state;
    times = 0;
    for (size_t bytes = 4 << 20; bytes >= PAGE_SIZE; bytes /= 2)
        while (MmAllocateNonCachedMemory(bytes) != NULL)
            taken++;
    assert_false(ntmm_on_kernel_stack(count, NULL));
    assert_int_equal(times, 0);
    ntmm_cmocka_config = NULL;
    ntmm_report report;
    assert_int_equal(ntmm_shutdown(&report), taken);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

/* ---- leaving ---- */

static void stop_here(void *code) { KeBugCheckEx((ULONG)(uintptr_t)code, 1, 2, 3, 4); }

static void stop_and_count(void *code)
{
    stop_here(code);
    times++;
}

static void body_with_a_stop(void *code)
{
    assert_true(ntmm_on_kernel_stack(stop_and_count, code));
    times++;
}

static void a_stop_leaves_the_stack(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    times = 0;
    for (int i = 0; i < 3; i++) {
        assert_true(ntmm_catch_bugcheck(body_with_a_stop, (void *)(uintptr_t)(0xE0 + i), &stop));
        assert_int_equal(stop.code, 0xE0 + i);
        assert_int_equal(ke_stack_level(FRAME), 0);
        assert_non_null(strstr(ntmm_stop_report(), "kernel stack"));
        assert_non_null(strstr(ntmm_stop_report(), "in use"));
        ntmm_cmocka_reboot();
    }
    assert_int_equal(times, 0);
}

static void catch_inside(void *unused)
{
    ntmm_bugcheck stop;
    (void)unused;
    assert_true(ntmm_catch_bugcheck(stop_here, (void *)0xAB, &stop));
    assert_int_equal(stop.code, 0xAB);
    assert_int_equal(ke_stack_level(FRAME), 1);
    times++;
}

static void a_stop_is_caught_on_the_stack(void **state)
{
    (void)state;
    times = 0;
    assert_no_bugcheck(ntmm_on_kernel_stack(catch_inside, NULL));
    assert_int_equal(times, 1);
}

static void nested(void *levels)
{
    int left = *(int *)levels - 1;
    times++;
    if (left > 0)
        assert_true(ntmm_on_kernel_stack(nested, &left));
    else
        stop_here((void *)0xCD);
}

static void stacks_upon_stacks(void **state)
{
    int levels = 5;
    (void)state;
    times = 0;
    assert_bugcheck(0xCD, 1, ntmm_on_kernel_stack(nested, &levels));
    assert_int_equal(times, 5);
    assert_int_equal(ke_stack_level(FRAME), 0);
}

static void too_many(void *depth)
{
    int deeper = *(int *)depth + 1;
    times++;
    if (!ntmm_on_kernel_stack(too_many, &deeper))
        *(int *)depth = -1;
}

static void there_is_an_end_of_levels(void **state)
{
    int depth = 0;
    (void)state;
    times = 0;
    assert_true(ntmm_on_kernel_stack(too_many, &depth));
    assert_int_equal(times, 8);
    assert_true(ntmm_check());
}

static jmp_buf somewhere;
static void    jump_away(void *unused)
{
    (void)unused;
    longjmp(somewhere, 1);
}
static void jump_away_from_deeper(void *unused)
{
    ntmm_catch_frame frame;
    (void)unused;
    (void)ntmm_catch_push(&frame);
    ntmm_on_kernel_stack(jump_away, NULL);
}

static void a_test_framework_jumps_away(void **state)
{
    (void)state;
    for (volatile int i = 0; i < 40; i++) {
        if (setjmp(somewhere) == 0)
            ntmm_on_kernel_stack(i % 2 == 0 || DEEPER_IS_A_FIBER ? jump_away : jump_away_from_deeper, NULL);
        if (i % 3 == 0)
            ntmm_catch_pop(NULL);
        times = 0;
        assert_true(ntmm_on_kernel_stack(count, NULL));
        assert_int_equal(times, 1);
        assert_int_equal(ke_stack_level(FRAME), 0);
    }
    ntmm_catch_pop(NULL);
    assert_bugcheck(0xEE, 1, stop_here((void *)0xEE));
}

static void *leave_the_thread(void *unused)
{
    ntmm_on_kernel_stack((void (*)(void *))(uintptr_t)pthread_exit, unused);
    return NULL;
}

static void a_thread_ends_on_it(void **state)
{
    (void)state;
    if (DEEPER_IS_A_FIBER) /* a thread's own stack may lie below */
        return;
    assert_ptr_equal(on_a_thread(leave_the_thread, &times), &times);
    assert_true(ntmm_check());
}

static void *stop_on_a_thread(void *unused)
{
    ntmm_on_kernel_stack(stop_here, (void *)0xBAD);
    return unused; /* not reached: the thread ends */
}
static void run_the_thread(void *unused)
{
    (void)unused;
    assert_null(on_a_thread(stop_on_a_thread, &times));
}

static void a_thread_without_a_catch_ends(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(run_the_thread, NULL, &stop));
    assert_int_equal(stop.code, 0xBAD);
}

/* ---- overflow ---- */

#ifndef SANITIZED
static size_t recurse(size_t depth);
static size_t (*volatile call_again)(size_t) = recurse; /* no compiler makes a loop of it */
static APART size_t recurse(size_t depth)
{
    volatile char frame[128];
    frame[depth % sizeof frame] = (char)depth;
    return call_again(depth + 1) + (size_t)frame[depth % sizeof frame];
}
static void overflow(void *unused)
{
    (void)unused;
    recurse(0);
}
static void overflow_inside(void *stop)
{
    assert_true(ntmm_catch_bugcheck(overflow, NULL, stop));
    assert_int_equal(ke_stack_level(FRAME), 1);
    times++;
}

static void overflow_is_a_double_fault(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_bugcheck(UNEXPECTED_KERNEL_MODE_TRAP, 8, ntmm_on_kernel_stack(overflow, NULL));
        const char *line = strstr(ntmm_stop_report(), "full, ");
        assert_non_null(line);
        unsigned calls = (unsigned)strtoul(line + 6, NULL, 10);
        assert_true(calls > 50 && calls < KERNEL_STACK_SIZE / 100 + PAGE_SIZE / 100);
        ntmm_cmocka_reboot();
    }
    ntmm_bugcheck stop;
    times = 0;
    assert_true(ntmm_on_kernel_stack(overflow_inside, &stop));
    assert_int_equal(times, 1);
    assert_int_equal(stop.code, UNEXPECTED_KERNEL_MODE_TRAP);
    assert_int_equal(stop.parameter[0], 8);
}

static APART void large_frame(void *unused)
{
    volatile char frame[40000];
    (void)unused;
    for (size_t i = 0; i < sizeof frame; i += 1000)
        frame[i] = 1;
    times += frame[(size_t)times % sizeof frame];
}

static void a_large_frame(void **state)
{
    (void)state;
    assert_bugcheck(UNEXPECTED_KERNEL_MODE_TRAP, 8, ntmm_on_kernel_stack(large_frame, NULL));
}

static void touch_the_guard(void *unused)
{
    uintptr_t low, high;
    (void)unused;
    IoGetStackLimits(&low, &high);
    *(volatile char *)(low - 8) = 1;
}

static void a_stray_pointer_into_the_guard(void **state) /* the stack is not full: the address is just wrong */
{
    (void)state;
    assert_bugcheck_code(PAGE_FAULT_IN_NONPAGED_AREA, ntmm_on_kernel_stack(touch_the_guard, NULL));
}

static void overflow_of_an_expansion(void *unused)
{
    (void)unused;
    assert_int_equal(KeExpandKernelStackAndCallout(overflow, NULL, MAXIMUM_EXPANSION_SIZE), STATUS_SUCCESS);
}

static void an_expansion_overflows(void **state)
{
    (void)state;
    assert_bugcheck(UNEXPECTED_KERNEL_MODE_TRAP, 8, ntmm_on_kernel_stack(overflow_of_an_expansion, NULL));
}

static void *overflow_on_a_thread(void *caught)
{
    ntmm_bugcheck stop;
    *(bool *)caught = ntmm_catch_bugcheck((void (*)(void *))(uintptr_t)ntmm_on_kernel_stack, (void *)(uintptr_t)overflow, &stop) &&
                      stop.code == UNEXPECTED_KERNEL_MODE_TRAP;
    return NULL;
}

static void threads_overflow_at_once(void **state)
{
    pthread_t thread[4];
    bool      caught[4] = { false };
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, overflow_on_a_thread, &caught[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
    }
    assert_true(caught[0] || caught[1] || caught[2] || caught[3]);
}
#endif

/* ---- what callbacks of a stop do ---- */

static KBUGCHECK_CALLBACK_RECORD record;
static uintptr_t                 callback_level;

static VOID on_stop(PVOID buffer, ULONG bytes)
{
    (void)buffer;
    (void)bytes;
    callback_level = ke_stack_level(FRAME);
    times += IoGetRemainingStackSize() > KERNEL_STACK_SIZE;
    times += ntmm_catch_bugcheck(stop_here, (void *)0xFF, NULL) ? 0 : 0;
}

static void a_report_has_room(void **state)
{
    (void)state;
    times = 0;
    KeInitializeCallbackRecord(&record);
    assert_true(KeRegisterBugCheckCallback(&record, on_stop, NULL, 0, (PUCHAR) "t"));
    assert_bugcheck(0x1234, 1, ntmm_on_kernel_stack(stop_here, (void *)0x1234));
    assert_int_equal(callback_level, 2);
    assert_int_equal(times, 1);
}

static void jump_to_the_test(PVOID buffer, ULONG bytes)
{
    (void)buffer;
    (void)bytes;
    longjmp(somewhere, 1);
}

static void a_callback_jumps_away(void **state)
{
    (void)state;
    if (DEEPER_IS_A_FIBER)
        return;
    KeInitializeCallbackRecord(&record);
    assert_true(KeRegisterBugCheckCallback(&record, jump_to_the_test, NULL, 0, (PUCHAR) "t"));
    if (setjmp(somewhere) == 0)
        ntmm_on_kernel_stack(stop_here, (void *)0x1234);
    ntmm_catch_pop(NULL);
    assert_int_equal(ke_stack_level(FRAME), 0);
    ntmm_cmocka_reboot();
    assert_true(ntmm_on_kernel_stack(count, NULL));
}

/* ---- expansion ---- */

static ULONG_PTR room;
static uintptr_t level;
static void      see_room(void *unused)
{
    (void)unused;
    room = IoGetRemainingStackSize();
    level = ke_stack_level(FRAME);
    times++;
}

static void expand_by(void *bytes)
{
    SIZE_T wanted = *(SIZE_T *)bytes;
    assert_int_equal(KeExpandKernelStackAndCallout(see_room, NULL, wanted), STATUS_SUCCESS);
    assert_true(room > wanted * host_stack_factor() - 512);
}

static void an_expansion_has_room(void **state)
{
    SIZE_T small = 1024, large = 40 << 10, largest = MAXIMUM_EXPANSION_SIZE;
    (void)state;
    times = 0;
    assert_true(ntmm_on_kernel_stack(expand_by, &small));
    assert_int_equal(level, 1); /* there was enough */
    assert_true(ntmm_on_kernel_stack(expand_by, &large));
    assert_int_equal(level, 2);
    assert_true(ntmm_on_kernel_stack(expand_by, &largest));
    assert_int_equal(level, 2);
    assert_int_equal(KeExpandKernelStackAndCallout(see_room, NULL, largest), STATUS_SUCCESS);
    assert_int_equal(level, 0); /* the host's stack has more than that */
    assert_int_equal(times, 4);
    assert_true(ntmm_check());
}

static void refused_expansions(void **state)
{
    KIRQL old;
    (void)state;
    times = 0;
    assert_int_equal(KeExpandKernelStackAndCallout(count, NULL, MAXIMUM_EXPANSION_SIZE + 1), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(KeExpandKernelStackAndCalloutEx(count, NULL, MAXIMUM_EXPANSION_SIZE + 1, TRUE, NULL), STATUS_INVALID_PARAMETER_3);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(KeExpandKernelStackAndCalloutEx(count, NULL, 1, TRUE, NULL), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(times, 0);
    assert_int_equal(KeExpandKernelStackAndCalloutEx(count, NULL, 1, FALSE, NULL), STATUS_SUCCESS);
    KeLowerIrql(old);
    assert_int_equal(times, 1);
}

static void expand_at_dispatch_level(void *unused)
{
    KIRQL old;
    (void)unused;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(KeExpandKernelStackAndCalloutEx(see_room, NULL, MAXIMUM_EXPANSION_SIZE, FALSE, NULL), STATUS_SUCCESS);
    KeLowerIrql(old);
    assert_int_equal(level, 2);
}

static void at_dispatch_level(void **state)
{
    (void)state;
    assert_true(ntmm_on_kernel_stack(expand_at_dispatch_level, NULL));
}

static void raise_and_stay(void *unused)
{
    KIRQL old;
    (void)unused;
    KeRaiseIrql(APC_LEVEL, &old);
}

static void the_irql_must_be_restored(void **state)
{
    (void)state;
    assert_bugcheck_all(IRQL_UNEXPECTED_VALUE, APC_LEVEL << 16, (uintptr_t)raise_and_stay, 0, 0,
                        KeExpandKernelStackAndCallout(raise_and_stay, NULL, 1));
}

static int  no_memory, done;
static void expand_once(void *unused)
{
    (void)unused;
    NTSTATUS status = KeExpandKernelStackAndCallout(count, NULL, MAXIMUM_EXPANSION_SIZE);
    no_memory += status == STATUS_NO_MEMORY;
    done += status == STATUS_SUCCESS;
}
static void expand_and_fail(void *unused) { assert_int_equal(ntmm_for_each_failure(expand_once, unused), 2); }

static void a_failure_is_injected_once(void **state)
{
    (void)state;
    times = no_memory = done = 0;
    assert_true(ntmm_on_kernel_stack(expand_and_fail, NULL));
    assert_int_equal(no_memory, 1);
    assert_int_equal(done, 1);
    assert_int_equal(times, 1);
}

/* ---- backtraces ---- */

static APART USHORT capture(ULONG skip, ULONG want, PVOID *frames, ULONG *hash)
{
    USHORT captured = RtlCaptureStackBackTrace(skip, want, frames, hash);
    times += captured;
    return captured;
}

static APART void who_called(void *unused)
{
    PVOID frames[40] = { 0 }, skipped[40] = { 0 };
    ULONG hash = 0, again = 0;
    (void)unused;
    USHORT all = capture(0, 40, frames, &hash);
    assert_true(all > 4); /* over the switch of stacks */
    assert_true((uintptr_t)frames[0] - (uintptr_t)&capture < 256);
    assert_true((uintptr_t)frames[1] - (uintptr_t)&who_called < 2048);
    USHORT rest = capture(1, 40, skipped, &again);
    assert_int_equal(rest, all - 1);
    for (USHORT i = 1; i < rest; i++)
        assert_ptr_equal(skipped[i], frames[i + 1]);
    assert_int_equal(capture(0, 2, skipped, NULL), 2);
    assert_null(skipped[39]);
    assert_int_equal(capture(1000, 40, skipped, NULL), 0);
    assert_int_equal(capture(0, 0, skipped, NULL), 0);
    assert_int_not_equal(hash, 0);
}

static void backtraces(void **state)
{
    (void)state;
    who_called(NULL);
    assert_true(ntmm_on_kernel_stack(who_called, NULL));
}

/* ---- several threads ---- */

enum { TURNS = 200 };
static void use_the_stack(void *sum)
{
    volatile char bytes[2048];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (unsigned i = 0; i < sizeof bytes; i++)
        *(unsigned *)sum += bytes[i] == (char)i;
}
static void *take_turns(void *unused)
{
    unsigned sum = 0;
    for (int i = 0; i < TURNS; i++)
        if (!ntmm_on_kernel_stack(use_the_stack, &sum))
            return unused;
    return sum == TURNS * 2048u ? &times : NULL;
}

static void threads_have_their_own(void **state)
{
    pthread_t thread[4];
    void     *result;
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, take_turns, NULL), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], &result);
        assert_ptr_equal(result, &times);
    }
    assert_true(ntmm_check());
}

static VOID dpc_routine(PKDPC dpc, PVOID context, PVOID one, PVOID two)
{
    (void)dpc;
    (void)one;
    (void)two;
    *(uintptr_t *)context = ke_stack_level(FRAME);
}
static void lower_on_it(void *seen)
{
    KDPC  dpc;
    KIRQL old;
    KeInitializeDpc(&dpc, dpc_routine, seen);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    KeLowerIrql(old);
    KeFlushQueuedDpcs();
}
static void a_dpc_on_it(void **state)
{
    uintptr_t seen = 99;
    (void)state;
    assert_true(ntmm_on_kernel_stack(lower_on_it, &seen));
    assert_true(seen <= 1);
}

int main(void)
{
    static const ntmm_config small = { .quiet = true, .physical_memory = 8 << 20, .page_file_size = PAGE_SIZE };
    const struct CMUnitTest  tests[] = {
         ntmm_cmocka_test(a_stack_of_the_documented_size),
         ntmm_cmocka_test(memory_of_the_machine),
         ntmm_cmocka_test(the_hosts_stack),
         ntmm_cmocka_test(limits_of_another_thread),
         ntmm_cmocka_test(at_which_irql),
         ntmm_cmocka_test(at_which_irql_once),
         ntmm_cmocka_test(swapping_is_remembered),
         ntmm_cmocka_test(no_machine_no_stack),
         ntmm_cmocka_test(the_machine_does_not_go_under_its_stack),
         ntmm_cmocka_test_config(all_memory_is_taken, &small),
         ntmm_cmocka_test(a_stop_leaves_the_stack),
         ntmm_cmocka_test(a_stop_is_caught_on_the_stack),
         ntmm_cmocka_test(stacks_upon_stacks),
         ntmm_cmocka_test(there_is_an_end_of_levels),
         ntmm_cmocka_test(a_test_framework_jumps_away),
         ntmm_cmocka_test(a_thread_ends_on_it),
         ntmm_cmocka_test(a_thread_without_a_catch_ends),
#ifndef SANITIZED
        ntmm_cmocka_test(overflow_is_a_double_fault),
        ntmm_cmocka_test(a_large_frame),
        ntmm_cmocka_test(a_stray_pointer_into_the_guard),
        ntmm_cmocka_test(an_expansion_overflows),
        ntmm_cmocka_test(threads_overflow_at_once),
#endif
        ntmm_cmocka_test(a_report_has_room),
        ntmm_cmocka_test(a_callback_jumps_away),
        ntmm_cmocka_test(an_expansion_has_room),
        ntmm_cmocka_test(refused_expansions),
        ntmm_cmocka_test(at_dispatch_level),
        ntmm_cmocka_test(the_irql_must_be_restored),
        ntmm_cmocka_test(a_failure_is_injected_once),
        ntmm_cmocka_test(backtraces),
        ntmm_cmocka_test(threads_have_their_own),
        ntmm_cmocka_test(a_dpc_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
