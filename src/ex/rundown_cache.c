/*
 * rundown_cache.c - rundown protection with a count for each processor, each in a cache line of its own.
 *
 *     | processors | count 0 ........ | count 1 ........ | ...        64 bytes each
 *
 * A user who comes on one processor may leave on another: a single count may go below 0, only the sum is that of the users.
 *
 * Locks       none: each count is one word (rundown.c).
 * Source      WDK reference: wdm.h, ExAllocateCacheAwareRundownProtection and its companions.
 * Fidelity    a release without an acquire is noticed only when the object is run down, as a wait that ends too early.
 */
#include "ex/rundown.h"

#include "ke/bugcheck.h"
#include "ke/irql.h"

#define LINE 64u
#define MORE_THAN_ALL ((LONG64)1 << 40)

typedef struct rundown_line {
    EX_RUNDOWN_REF ref;
    char           rest[LINE - sizeof(EX_RUNDOWN_REF)];
} rundown_line_t;

struct _EX_RUNDOWN_REF_CACHE_AWARE {
    ULONG          count;
    POOL_TYPE      pool;
    ULONG          tag; /* 0: the driver's memory */
    char           rest[LINE - 12];
    rundown_line_t lines[];
};
_Static_assert(sizeof(struct _EX_RUNDOWN_REF_CACHE_AWARE) == LINE && sizeof(rundown_line_t) == LINE, "each count in its own line");

static PEX_RUNDOWN_REF here(PEX_RUNDOWN_REF_CACHE_AWARE refs) { return &refs->lines[KeGetCurrentProcessorNumber() % refs->count].ref; }

static void set_all(PEX_RUNDOWN_REF_CACHE_AWARE refs, ULONG_PTR word)
{
    for (ULONG i = 0; i < refs->count; i++)
        __atomic_store_n(&refs->lines[i].ref.Count, word, __ATOMIC_RELEASE);
}

static bool are_run_down(PEX_RUNDOWN_REF_CACHE_AWARE refs)
{
    for (ULONG i = 0; i < refs->count; i++)
        if (__atomic_load_n(&refs->lines[i].ref.Count, __ATOMIC_ACQUIRE) != EX_RUNDOWN_ACTIVE)
            return false;
    return true;
}

/* ---- memory ---- */

SIZE_T ExSizeOfRundownProtectionCacheAware(VOID) { return LINE + KeQueryMaximumProcessorCount() * sizeof(rundown_line_t); }

VOID ExInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, SIZE_T RunRefSize)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    RunRefCacheAware->count = (ULONG)((RunRefSize - LINE) / sizeof(rundown_line_t));
    RunRefCacheAware->tag = 0;
    set_all(RunRefCacheAware, 0);
}

PEX_RUNDOWN_REF_CACHE_AWARE ExAllocateCacheAwareRundownProtection(POOL_TYPE PoolType, ULONG PoolTag)
{
    SIZE_T                      bytes = ExSizeOfRundownProtectionCacheAware();
    PEX_RUNDOWN_REF_CACHE_AWARE refs = bytes > LINE ? ExAllocatePoolZero(PoolType, bytes, PoolTag) : NULL;
    if (refs == NULL)
        return NULL;
    ExInitializeRundownProtectionCacheAware(refs, bytes);
    refs->pool = PoolType;
    refs->tag = PoolTag;
    return refs;
}

VOID ExFreeCacheAwareRundownProtection(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExFreePoolWithTag(RunRefCacheAware, RunRefCacheAware->tag);
}

/* ---- users ---- */

static bool acquire(const char *routine, PEX_RUNDOWN_REF_CACHE_AWARE refs, ULONG count)
{
    ke_loop_poll();
    return ke_thread_ready(routine) != NULL && ex_rundown_acquire(here(refs), count);
}

static void release(const char *routine, PEX_RUNDOWN_REF_CACHE_AWARE refs, ULONG count, ULONG_PTR caller)
{
    if (ke_thread_ready(routine) != NULL && !ex_rundown_release(here(refs), count, true))
        ex_rundown_is_wrong(routine, "Rundown protection is released, and the object was run down before.", caller);
}

BOOLEAN ExAcquireRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return acquire(__func__, RunRefCacheAware, 1);
}

BOOLEAN ExAcquireRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return acquire(__func__, RunRefCacheAware, Count);
}

VOID ExReleaseRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    release(__func__, RunRefCacheAware, 1, KE_CALLER());
}

VOID ExReleaseRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    release(__func__, RunRefCacheAware, Count, KE_CALLER());
}

/* ---- running down ---- */

VOID ExWaitForRundownProtectionReleaseCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ex_rundown_wait_t wait;
    LONG64            users = 0;
    bool              was_active = false;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    wait.users = MORE_THAN_ALL;
    KeInitializeEvent(&wait.is_over, NotificationEvent, FALSE);
    for (ULONG i = 0; i < RunRefCacheAware->count && !was_active; i++)
        users += ex_rundown_begin(&RunRefCacheAware->lines[i].ref, &wait, &was_active);
    if (was_active) {
        while (!are_run_down(RunRefCacheAware)) {
            ke_wait_poll();
            host_yield();
        }
        return;
    }
    ex_rundown_users_left(&wait, MORE_THAN_ALL - users);
    (void)KeWaitForSingleObject(&wait.is_over, Executive, KernelMode, FALSE, NULL);
    set_all(RunRefCacheAware, EX_RUNDOWN_ACTIVE);
}

VOID ExRundownCompletedCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) != NULL && !are_run_down(RunRefCacheAware))
        ex_rundown_is_wrong(__func__, "The object is not run down.", KE_CALLER());
}

VOID ExReInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    if (!are_run_down(RunRefCacheAware))
        ex_rundown_is_wrong(__func__, "Rundown protection is initialised once more before the object is run down.", KE_CALLER());
    set_all(RunRefCacheAware, 0);
}
