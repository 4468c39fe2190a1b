/*
 * process.c - the table of processes.
 * Records lie side by side in one table, System first, so that any number can be told to be a process or not without following it: the
 * pools keep the address of a process in the header of a block, where a driver may have overwritten it.
 *
 * Quota is a sum for each kind of pool and a limit that it may not exceed; the registry's NonPagedPoolQuota and PagedPoolQuota are such limits,
 * and 0, their default, leaves it to the system. Here that means no limit but the pool's own (choice).
 *
 * Locks       one leaf lock for creating, and for who uses an address space; everything else is atomic, at any IRQL.
 * Elsewhere   what drivers ask of processes: process_query.c. Attaching: process_attach.c. Address spaces: mm.
 * Source      Windows documentation on the registry values of Memory Management.
 * Fidelity    a process has no handles and no threads of its own.
 */
#include "ke/process.h"

#include <errno.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "ke/system_thread.h"

#define PROCESSES_MAX 4096u
#define ID_STEP 4u

static ke_process_t *table;   /* [PROCESSES_MAX]; number 0 is System. Made at the first boot, and kept */
static uint32_t      used;    /* (L) records that were ever in use since boot: the first so many */
static uint32_t      started; /* (L) processes since boot */
static ke_lock_t     process_lock = KE_LOCK_INIT(KE_RANK_LEAF);

PEPROCESS          PsInitialSystemProcess;
ke_process_hooks_t ke_process_hooks;
NTSTATUS (*ke_process_notice)(ke_process_t *process, bool created);

static ke_process_t *record_of(ntmm_process *process) { return (ke_process_t *)(void *)process; }

/* ---- the life of the table ---- */

static void record_open(ke_process_t *process)
{
    for (unsigned kind = 0; kind < KE_QUOTAS; kind++) {
        atomic_store(&process->charged[kind], 0);
        atomic_store(&process->limit[kind], KE_NO_QUOTA_LIMIT);
    }
    atomic_store(&process->by_drivers, 0);
    atomic_store(&process->space, NULL);
    process->users = 1;
    process->start_number = ++started;
    process->created_100ns = host_wall_100ns();
    process->ended_100ns = 0;
    atomic_store(&process->has_handle, 1);
    atomic_store(&process->references, 1);
}

int ke_processes_boot(void)
{
    if (table == NULL)
        table = host_tables(PROCESSES_MAX * sizeof *table);
    if (table == NULL)
        return ke_error(-ENOMEM, "the host has no memory for the table of processes");
    ke_lock_init(&process_lock, KE_RANK_LEAF);
    memset((void *)table, 0, used * sizeof *table);
    started = 0;
    record_open(&table[0]);
    used = 1;
    PsInitialSystemProcess = (PEPROCESS)(void *)table;
    return 0;
}

void ke_processes_shutdown(void)
{
    PsInitialSystemProcess = NULL;
    if (table != NULL)
        memset((void *)table, 0, used * sizeof *table);
}

/* ---- references ---- */

bool ke_process_is_at(uintptr_t address)
{
    uintptr_t offset = address - (uintptr_t)table;
    return table != NULL && offset < PROCESSES_MAX * sizeof *table && offset % sizeof *table == 0 &&
           atomic_load_explicit(&table[offset / sizeof *table].references, memory_order_acquire) != 0;
}

bool ke_process_reference(ke_process_t *process)
{
    uint32_t count = atomic_load(&process->references);
    do {
        if (count == 0)
            return false;
    } while (!atomic_compare_exchange_weak(&process->references, &count, count + 1));
    return true;
}

void ke_process_dereference(ke_process_t *process)
{
    uint32_t before = atomic_fetch_sub(&process->references, 1);
    NTMM_INVARIANT(before != 0, "a process is dereferenced as often as it was referenced");
}

int64_t ke_process_object_reference(void *object)
{
    ke_process_t *process = object;
    return ke_process_reference(process) ? (int64_t)atomic_fetch_add(&process->by_drivers, 1) + 1 : -1;
}

int64_t ke_process_object_dereference(void *object)
{
    ke_process_t *process = object;
    uint32_t      count = atomic_load(&process->by_drivers);
    do {
        if (count == 0)
            return -1;
    } while (!atomic_compare_exchange_weak(&process->by_drivers, &count, count - 1));
    ke_process_dereference(process);
    return (int64_t)count - 1;
}

uintptr_t ke_process_id(const ke_process_t *process) { return (((uintptr_t)process - (uintptr_t)table) / sizeof *table + 1) * ID_STEP; }

ke_process_t *ke_process_by_id(uintptr_t id)
{
    uintptr_t index = id / ID_STEP - 1;
    if (table == NULL || id % ID_STEP != 0 || index >= PROCESSES_MAX || atomic_load(&table[index].references) == 0)
        return NULL;
    return &table[index];
}

ke_process_t *ke_process_system(void) { return table; }

ke_process_t *ke_process_current(const ke_thread_t *thread) { return thread->process != NULL ? thread->process : table; }

bool ke_process_use(ke_process_t *process)
{
    if (!ke_process_reference(process))
        return false;
    ke_lock(&process_lock);
    process->users++;
    ke_unlock(&process_lock);
    return true;
}

/* One that is used again after its end has no address space any more, so that there is nothing to take away twice. */
void ke_process_unuse(ke_process_t *process)
{
    void *space = NULL;
    ke_lock(&process_lock);
    NTMM_INVARIANT(process->users != 0, "a process is left as often as it was entered");
    if (--process->users == 0)
        space = atomic_exchange(&process->space, NULL);
    ke_unlock(&process_lock);
    if (space != NULL && ke_process_hooks.stop != NULL)
        ke_process_hooks.stop(space);
    ke_process_dereference(process);
}

void *ke_process_set_space(ke_process_t *process, void *space)
{
    void *none = NULL;
    ke_lock(&process_lock);
    if (atomic_load(&process->has_handle) != 0)
        atomic_compare_exchange_strong(&process->space, &none, space);
    void *now = atomic_load(&process->has_handle) != 0 ? atomic_load(&process->space) : NULL;
    ke_unlock(&process_lock);
    return now;
}

/* A thread that ends while it is attached several times over leaves the innermost process and its own; those between have lost a user that
 * only its KAPC_STATEs knew, and stay until shutdown. */
void ke_process_leave(ke_thread_t *thread)
{
    ke_process_t *process = thread->process, *home = thread->home;
    bool          attached = thread->attached != 0;
    thread->process = thread->home = NULL;
    thread->attached = 0;
    if (attached && process != NULL)
        ke_process_unuse(process);
    if (home != NULL)
        ke_process_unuse(home);
}

/* ---- quota ---- */

bool ke_process_charge(ke_process_t *process, ke_quota_t kind, uint64_t bytes)
{
    uint64_t charged = atomic_load(&process->charged[kind]);
    do {
        uint64_t limit = atomic_load(&process->limit[kind]);
        if (charged > limit || bytes > limit - charged) /* the limit may have been lowered meanwhile */
            return false;
    } while (!atomic_compare_exchange_weak(&process->charged[kind], &charged, charged + bytes));
    bool alive = ke_process_reference(process);
    NTMM_INVARIANT(alive, "the process that a thread runs in is referenced by that thread");
    return true;
}

uint64_t ke_process_refund(ke_process_t *process, ke_quota_t kind, uint64_t bytes)
{
    uint64_t charged = atomic_load(&process->charged[kind]);
    do {
        if (charged < bytes)
            return bytes - charged;
    } while (!atomic_compare_exchange_weak(&process->charged[kind], &charged, charged - bytes));
    ke_process_dereference(process);
    return 0;
}

void ke_processes_check_begin(void)
{
    for (uint32_t i = 0; i < used; i++) {
        memset(table[i].found, 0, sizeof table[i].found);
        table[i].blocks_found = 0;
    }
}

ke_process_t *ke_processes_check_end(void)
{
    for (uint32_t i = 0; i < used; i++) {
        ke_process_t *process = &table[i];
        bool          same = process->blocks_found <= atomic_load(&process->references);
        for (unsigned kind = 0; kind < KE_QUOTAS; kind++)
            same = same && process->found[kind] == atomic_load(&process->charged[kind]);
        if (!same)
            return process;
    }
    return NULL;
}

/* ---- the control API ---- */

static bool is_ours(ntmm_process *process, const char *routine)
{
    if (ke_process_is_at((uintptr_t)process) && record_of(process) != table && atomic_load(&record_of(process)->has_handle) != 0)
        return true;
    ke_error(0, "%s: this is no process of the machine, or it was destroyed", routine);
    return false;
}

static ke_process_t *create_locked(void)
{
    uint32_t i = 1;
    while (i < used && atomic_load(&table[i].references) != 0)
        i++;
    if (i == PROCESSES_MAX)
        return NULL;
    used = i == used ? used + 1 : used;
    record_open(&table[i]);
    return &table[i];
}

static ke_process_t *create(void)
{
    ke_lock(&process_lock);
    ke_process_t *process = create_locked();
    ke_unlock(&process_lock);
    if (process == NULL)
        ke_error(0, "ntmm_process_create: %u processes are all there can be", PROCESSES_MAX - 1);
    return process;
}

static void destroy(const char *routine, ke_process_t *record)
{
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return;
    ke_lock(&process_lock);
    bool ends = atomic_exchange(&record->has_handle, 0) != 0;
    ke_unlock(&process_lock);
    if (ends) {
        record->ended_100ns = host_wall_100ns();
        ke_process_unuse(record);
    }
    ke_thread_leave(thread);
}

ntmm_process *ntmm_process_create(void)
{
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return NULL;
    ke_process_t *process = create();
    ke_thread_leave(thread);
    NTSTATUS status = process != NULL && ke_process_notice != NULL ? ke_process_notice(process, true) : STATUS_SUCCESS;
    if (NT_ERROR(status)) {
        ke_error(0, "ntmm_process_create: a driver forbids it with CreationStatus 0x%08X", (unsigned)status);
        destroy(__func__, process);
        process = NULL;
    }
    return (ntmm_process *)(void *)process;
}

void ntmm_process_destroy(ntmm_process *process)
{
    ke_process_t *record = record_of(process);
    if (process == NULL || ke_thread_ready(__func__) == NULL || !is_ours(process, __func__))
        return;
    if (ke_process_notice != NULL)
        (void)ke_process_notice(record, false);
    if (ke_process_hooks.ending != NULL)
        ke_process_hooks.ending(record);
    destroy(__func__, record);
}

void ntmm_process_attach(ntmm_process *process)
{
    ke_thread_t  *thread = ke_thread_ready(__func__);
    ke_process_t *next = record_of(process), *before;
    if (thread == NULL || (process != NULL && !is_ours(process, __func__)))
        return;
    if (thread->attached != 0) {
        ke_error(0, "ntmm_process_attach: this thread is attached to a process by KeStackAttachProcess or KeAttachProcess; detach first");
        return;
    }
    if (next != NULL && !ke_process_use(next))
        return;
    before = thread->home;
    if (before != NULL && ke_thread_notice != NULL)
        ke_thread_notice(thread, before, false);
    thread->home = thread->process = next;
    if (next != NULL && ke_thread_notice != NULL)
        ke_thread_notice(thread, next, true);
    ke_process_was_left(before);
    if (before != NULL)
        ke_process_unuse(before);
}

static uint64_t limit_from(uint64_t bytes) { return bytes != 0 ? bytes : KE_NO_QUOTA_LIMIT; }

void ntmm_process_set_quota(ntmm_process *process, uint64_t nonpaged_bytes, uint64_t paged_bytes)
{
    if (ke_thread_ready(__func__) == NULL || !is_ours(process, __func__))
        return;
    atomic_store(&record_of(process)->limit[KE_QUOTA_NONPAGED], limit_from(nonpaged_bytes));
    atomic_store(&record_of(process)->limit[KE_QUOTA_PAGED], limit_from(paged_bytes));
}

void ntmm_process_query_quota(ntmm_process *process, ntmm_quota_usage *out)
{
    *out = (ntmm_quota_usage){ 0 };
    bool halted = atomic_load(&ke_machine_state) == KE_MACHINE_HALTED; /* it may be looked at */
    if ((!halted && ke_thread_ready(__func__) == NULL) || !is_ours(process, __func__))
        return;
    const ke_process_t *record = record_of(process);
    out->nonpaged_bytes = atomic_load(&record->charged[KE_QUOTA_NONPAGED]);
    out->paged_bytes = atomic_load(&record->charged[KE_QUOTA_PAGED]);
    uint64_t nonpaged_limit = atomic_load(&record->limit[KE_QUOTA_NONPAGED]), paged_limit = atomic_load(&record->limit[KE_QUOTA_PAGED]);
    out->nonpaged_limit = nonpaged_limit != KE_NO_QUOTA_LIMIT ? nonpaged_limit : 0;
    out->paged_limit = paged_limit != KE_NO_QUOTA_LIMIT ? paged_limit : 0;
}
