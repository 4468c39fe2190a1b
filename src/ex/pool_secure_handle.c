/*
 * pool_secure_handle.c - making and destroying secure pools.
 * A pool is a handle, a tag, and a count of the blocks that have yet to be freed. The handle is a number that does not come again until the
 * next boot, so one that has been destroyed is never taken for a new one.
 *
 * Locks       ex_secure_lock, a leaf.
 * Elsewhere   blocks: pool_secure.c.
 * Source      WDK reference: ExCreatePool, ExDestroyPool, POOL_CREATE_EXTENDED_PARAMS, POOL_CREATE_EXTENDED_PARAMETER.
 * Fidelity    64 pools at a time (choice). One that is left at shutdown is reported as a leak of no bytes at the address of its handle.
 */
#include "ex/pool_secure_handle.h"

#include "ex/pool_secure.h"
#include "ke/inject.h"

#define POOLS_MAX 64u

static ex_secure_pool_t pools[POOLS_MAX];
static uint64_t         handles_made;
ke_lock_t               ex_secure_lock = KE_LOCK_INIT(KE_RANK_LEAF);

void ex_secure_handles_boot(void)
{
    memset(pools, 0, sizeof pools);
    handles_made = 0;
    ke_lock_init(&ex_secure_lock, KE_RANK_LEAF);
}

ex_secure_pool_t *ex_secure_pool_locked(HANDLE handle)
{
    for (unsigned i = 0; handle != NULL && i < POOLS_MAX; i++)
        if (pools[i].handle == (uintptr_t)handle)
            return &pools[i];
    return NULL;
}

bool ex_secure_is_pool(HANDLE handle)
{
    ke_lock(&ex_secure_lock);
    bool found = ex_secure_pool_locked(handle) != NULL;
    ke_unlock(&ex_secure_lock);
    return found;
}

static NTSTATUS check_creation(ULONG flags, ULONG_PTR tag, const POOL_CREATE_EXTENDED_PARAMS *params, const HANDLE *handle)
{
    if ((flags & ~(ULONG)POOL_CREATE_FLG_VALID_FLAGS) != 0 || (flags & POOL_CREATE_FLG_SECURE_POOL) == 0)
        return STATUS_INVALID_PARAMETER_1;
    if (tag == 0 || tag > UINT32_MAX)
        return STATUS_INVALID_PARAMETER_2;
    if (handle == NULL)
        return STATUS_INVALID_PARAMETER_4;
    if (params == NULL)
        return STATUS_SUCCESS;
    if (params->Version != POOL_CREATE_PARAMS_VERSION)
        return STATUS_INVALID_PARAMETER;
    return params->ParameterCount != 0 || params->Parameters != NULL ? STATUS_INVALID_PARAMETER_3 : STATUS_SUCCESS;
}

static HANDLE create_locked(uint32_t tag)
{
    unsigned i = 0;
    while (i < POOLS_MAX && pools[i].handle != 0)
        i++;
    if (i == POOLS_MAX || !ex_secure_blocks_ready_locked())
        return NULL;
    pools[i] = (ex_secure_pool_t){ .handle = ++handles_made * 4, .tag = tag }; /* like other handles: the low two bits are not used */
    return (HANDLE)(uintptr_t)pools[i].handle;
}

static HANDLE create(uint32_t tag)
{
    ke_lock(&ex_secure_lock);
    HANDLE handle = create_locked(tag);
    ke_unlock(&ex_secure_lock);
    return handle;
}

NTSTATUS ExCreatePool(ULONG Flags, ULONG_PTR Tag, POOL_CREATE_EXTENDED_PARAMS *Params, HANDLE *PoolHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    NTSTATUS     status = check_creation(Flags, Tag, Params, PoolHandle);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    if (NT_SUCCESS(status)) {
        *PoolHandle = ke_inject_failure() ? NULL : create((uint32_t)Tag);
        status = *PoolHandle != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    ke_thread_leave(thread);
    return status;
}

static void bad_pool(ex_stop_t *stop, const char *why, const void *handle)
{
    ex_stop_set(stop, why, BAD_POOL_CALLER, 0x99, (ULONG_PTR)handle, 0, 0);
}

VOID ExDestroyPool(HANDLE PoolHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ex_stop_t    stop = { 0 };
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    ke_lock(&ex_secure_lock);
    ex_secure_pool_t *pool = ex_secure_pool_locked(PoolHandle);
    if (pool == NULL)
        bad_pool(&stop, "No pool has this handle: it was destroyed already, or never created.", PoolHandle);
    else if (pool->blocks != 0)
        bad_pool(&stop, "A secure pool was destroyed before everything allocated from it was freed.", PoolHandle);
    else
        *pool = (ex_secure_pool_t){ 0 };
    ke_unlock(&ex_secure_lock);
    ke_thread_leave(thread);
    ex_stop_if_set(__func__, &stop);
}

void ex_secure_visit_leaks(void (*visit)(void *context, const ntmm_leak *leak), void *context)
{
    for (unsigned i = 0; i < POOLS_MAX; i++)
        if (pools[i].handle != 0)
            visit(context, &(ntmm_leak){ .address = (void *)(uintptr_t)pools[i].handle, .tag = pools[i].tag, .type = NonPagedPoolNx });
}
