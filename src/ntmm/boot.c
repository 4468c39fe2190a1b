/*
 * boot.c - building the machine and tearing it down: the order in which the layers come up.
 *
 *     ntmm_boot                                          ntmm_shutdown
 *      |- config_check        what cannot be built         |- every other thread is outside?
 *      |- mm_boot             RAM, frames, regions         |- ke_processors_shutdown  DPC threads joined
 *      |- ke_processors_boot  processors, DPC queues       |- leaks_collect           walks what is still held
 *      |- ex_pool_boot        descriptors, magazines       |- ke_faults_shutdown      signals given back
 *      |- ex_lookaside_boot   no list is active            `- ex, mm                  touched memory is zero again
 *      `- ke_faults_boot      SIGSEGV, SIGBUS, SIGFPE are ours
 *
 * Memory object, reservation and tables stay for the next boot, so a unit test can afford a fresh machine per test.
 *
 * Locks   ke_machine_lock around both; no driver call may run meanwhile. Whoever finds it held waits for it here and not in ke_lock, where
 *         a waiter leaves a halted machine by its innermost catch: it has not come to use the machine.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/ex.h"
#include "ex/handle.h"
#include "ex/object_callbacks.h"
#include "ex/process_notify.h"
#include "ex/work_queue.h"
#include "hal/hal.h"
#include "host/host.h"
#include "host/protection_key.h"
#include "io/bus.h"
#include "io/device_property.h"
#include "io/driver.h"
#include "io/etw.h"
#include "io/file.h"
#include "io/named_event.h"
#include "io/pnp.h"
#include "io/power.h"
#include "io/registry.h"
#include "io/registry_callback.h"
#include "io/section.h"
#include "io/wmi.h"
#include "ke/allocation_trace.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/low_resources.h"
#include "ke/process.h"
#include "ke/report.h"
#include "ke/stack.h"
#include "ke/system_thread.h"
#include "ke/thread.h"
#include "ke/time.h"
#include "ke/timer.h"
#include "ke/version.h"
#include "mm/mm.h"
#include "mm/process_space.h"
#include "ntmm/leaks.h"
#include "vf/automatic.h"
#include "vf/dma.h"
#include "vf/verifying.h"
#include "wdf/driver.h"

#define DEFAULT_PROCESSORS 4u
#define OLDEST_WINDOWS 0x05000000u /* NTDDI_WIN2K */
#define OUTSIDE_PATIENCE_NS 2000000000u
#define LOCK_PATIENCE_NS 20000u

static _Atomic uint64_t machine_holder; /* host_thread_id() of whoever holds ke_machine_lock */

/* A stop in the middle of a shutdown (a damaged pool header was met) leaves by the holder's catch, with the lock in its hand. */
static bool holder_has_left(uint64_t waiting_since)
{
    if (atomic_load(&machine_holder) == host_thread_id())
        return true;
    return atomic_load(&ke_machine_state) == KE_MACHINE_HALTED && host_clock_ns() - waiting_since > 2 * OUTSIDE_PATIENCE_NS;
}

static void machine_lock(void)
{
    uint64_t since = host_clock_ns();
    for (uint32_t expected = 0; !atomic_compare_exchange_strong(&ke_machine_lock.word, &expected, 1); expected = 0) {
        if (holder_has_left(since))
            break;
        host_sleep_ns(LOCK_PATIENCE_NS);
    }
    atomic_store(&machine_holder, host_thread_id());
}

static void machine_unlock(void)
{
    atomic_store(&machine_holder, 0);
    ke_unlock(&ke_machine_lock);
}

static int config_check_features(const ntmm_config *config)
{
    const uint32_t not_built = NTMM_VERIFY_POOL_TRACKING | NTMM_VERIFY_IO;
    const uint32_t built = NTMM_VERIFY_SPECIAL_POOL | NTMM_VERIFY_FORCE_IRQL | NTMM_VERIFY_LOW_RESOURCES | NTMM_VERIFY_DEADLOCK |
                           NTMM_VERIFY_DMA | NTMM_VERIFY_MISC;
    if ((config->verifier & ~built) != 0)
        return ke_error(-ENOTSUP, "config.verifier is 0x%x, of which 0x%x %s", config->verifier, config->verifier & ~built,
                        (config->verifier & ~(built | not_built)) == 0 ? "is not built into this version" : "means nothing here");
    if (config->pool_model == NTMM_POOL_SEGMENT)
        return ke_error(-ENOTSUP, "config.pool_model asks for the segment heap, which is not built into this version yet");
    return 0;
}

static int config_check(const ntmm_config *config)
{
    if (config->processors > KE_PROCESSORS_MAX)
        return ke_error(-EINVAL, "config.processors is %u; a processor group has at most %u", config->processors, KE_PROCESSORS_MAX);
    if (config->numa_nodes > KE_PROCESSORS_MAX)
        return ke_error(-EINVAL, "config.numa_nodes is %u; at most %u", config->numa_nodes, KE_PROCESSORS_MAX);
    if ((unsigned)config->pool_model > NTMM_POOL_SEGMENT)
        return ke_error(-EINVAL, "config.pool_model is %u, which names no pool model", (unsigned)config->pool_model);
    if ((unsigned)config->run_policy > NTMM_RUNS_BUDDY)
        return ke_error(-EINVAL, "config.run_policy is %u, which names no policy", (unsigned)config->run_policy);
    if ((unsigned)config->page_gate > NTMM_GATE_MPROTECT)
        return ke_error(-EINVAL, "config.page_gate is %u, which names no gate", (unsigned)config->page_gate);
    if ((unsigned)config->page_replacement > NTMM_REPLACE_RANDOM)
        return ke_error(-EINVAL, "config.page_replacement is %u, which names no policy", (unsigned)config->page_replacement);
    if (config->windows_version != 0 && config->windows_version < OLDEST_WINDOWS)
        return ke_error(-EINVAL, "config.windows_version is 0x%08x; the oldest NTDDI value is 0x%08x", config->windows_version,
                        OLDEST_WINDOWS);
    if (config->no_magazines && config->classic_lookaside)
        return ke_error(-EINVAL,
                        "config.no_magazines leaves the free lists alone, and config.classic_lookaside puts lists in front of them");
    if (config->big_page_table_entries > 65536)
        return ke_error(-EINVAL, "config.big_page_table_entries is %u; at most 65536", config->big_page_table_entries);
    return config_check_features(config);
}

/* A forked child would share the parent's RAM: it has no machine until it boots its own. */
static void forked_child(void)
{
    if (atomic_load(&ke_machine_state) != KE_MACHINE_OFF)
        atomic_store(&ke_machine_state, KE_MACHINE_FORKED);
    ke_lock_init(&ke_machine_lock, KE_RANK_MACHINE); /* its holder, if it has one, is not in this process */
    host_key_open();                                 /* as below DISPATCH_LEVEL */
    ke_processors_disarm();                          /* the fast path of raise asks nobody but the processor */
    ke_thread_fork_leave();                          /* those of spin locks and of allocations ask nobody but the thread */
    ex_pool_forget();
    mm_forget();
    hal_ports_reset();
    hal_pci_reset();
    hal_dma_reset();
}

static void once_per_process(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    host_fences_start();
    host_at_fork_child(forked_child);
    mm_describe_register();
    mm_process_spaces_register();
    ex_describe_register();
}

static int boot_layers(const ntmm_config *config)
{
    uint32_t processors = config->processors != 0 ? config->processors : DEFAULT_PROCESSORS;
    vf_automatic_boot(0); /* in a forked child the parent's verifier is still on */
    ke_low_resources_boot(NULL);
    ke_version_boot(config);
    int result = mm_boot(config);
    if (result != 0)
        return result;
    ke_time_configure(config->stopped_clock);
    result = ke_processors_boot(processors, config->numa_nodes != 0 ? config->numa_nodes : 1);
    if (result != 0)
        goto undo_mm;
    mm_force_irql((config->verifier & NTMM_VERIFY_FORCE_IRQL) != 0, !config->no_protection_keys);
    result = ke_processes_boot();
    if (result != 0)
        goto undo_processors;
    result = ex_pool_boot(config);
    if (result != 0)
        goto undo_processes;
    ex_resource_boot();
    ex_lookaside_boot();
    ex_callbacks_boot();
    ke_system_threads_boot();
    ex_work_boot();
    ex_handles_boot();
    ex_process_objects_register();
    ex_object_callbacks_boot();
    ex_process_notify_boot();
    hal_ports_reset();
    hal_pci_reset();
    hal_dma_reset();
    vf_verifying_boot(config->verifier);
    vf_dma_boot((config->verifier & NTMM_VERIFY_DMA) != 0);
    vf_counter_boot((config->verifier & NTMM_VERIFY_DMA) != 0);
    io_devices_boot();
    io_drivers_boot();
    io_bus_boot();
    io_interfaces_reset();
    io_registry_reset();
    io_registry_callbacks_boot();
    io_power_boot();
    io_wmi_boot();
    io_etw_boot();
    io_mounts_reset();
    io_pnp_notifications_boot();
    io_named_events_boot();
    io_files_reset();
    io_sections_boot();
    wdf_boot();
    ke_fault_resolver = mm_fault_resolve;
    result = ke_faults_boot();
    if (result != 0)
        goto undo_pool;
    ke_low_resources_boot(config);
    vf_automatic_boot(config->verifier); /* last: the layers use the drivers' routines themselves while they come up */
    return 0;

undo_pool:
    ex_pool_shutdown();
undo_processes:
    ke_processes_shutdown();
undo_processors:
    ke_processors_shutdown();
undo_mm:
    mm_shutdown();
    return result;
}

/* What a person at the keyboard wants to change without a new build: *set, when the variable says something else than is usual. */
static int switch_from_environment(const char *name, const char *usual, bool *set)
{
    const char *value = getenv(name);
    if (value == NULL || *value == '\0' || strcmp(value, usual) == 0)
        return 0;
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return ke_error(-EINVAL, "%s is `%s` in the environment; it can be `on` or `off`", name, value);
    *set = true;
    return 0;
}

/* A gate that the config asks for by name is the one that it gets. */
static int gate_from_environment(ntmm_config *config)
{
    const char *gate = getenv("NTMM_PAGE_GATE");
    if (config->page_gate != NTMM_GATE_BEST || gate == NULL || *gate == '\0' || strcmp(gate, "best") == 0)
        return 0;
    if (strcmp(gate, "userfaultfd") != 0 && strcmp(gate, "mprotect") != 0)
        return ke_error(-EINVAL, "NTMM_PAGE_GATE is `%s` in the environment; it can be `best`, `userfaultfd` or `mprotect`", gate);
    config->page_gate = gate[0] == 'u' ? NTMM_GATE_USERFAULTFD : NTMM_GATE_MPROTECT;
    return 0;
}

int ntmm_boot(const ntmm_config *config)
{
    static const ntmm_config defaults;
    int                      result;
    bool                     all_stacks = false;
    ntmm_config              built = config != NULL ? *config : defaults;

    config = &built;
    if (atomic_load(&ke_machine_state) == KE_MACHINE_FORKED) { /* the parent's machine; this process starts afresh */
        ke_fork_forget();
        atomic_store(&ke_machine_state, KE_MACHINE_OFF);
    }
    machine_lock();
    if (atomic_load(&ke_machine_state) != KE_MACHINE_OFF)
        result = ke_error(-EBUSY, "a machine is up already: there is one per process; shut it down first");
    else
        result = config_check(config);
    if (result == 0)
        result = switch_from_environment("NTMM_MEMORY_TOOLS", "on", &built.no_memory_tools);
    if (result == 0)
        result = switch_from_environment("NTMM_PROTECTION_KEYS", "on", &built.no_protection_keys);
    if (result == 0)
        result = switch_from_environment("NTMM_STACK_TRACES", "off", &all_stacks);
    if (all_stacks)
        built.stack_traces = UINT32_MAX;
    if (result == 0)
        result = gate_from_environment(&built);
    if (result == 0) {
        once_per_process();
        ke_report_configure(config->quiet);
        result =
            ke_trace_boot(config->stack_traces) != 0 ? ke_error(-ENOMEM, "no memory for the table of stack traces") : boot_layers(config);
    }
    if (result == 0) {
        ke_machine_generation++;
        atomic_store(&ke_machine_state, KE_MACHINE_UP);
    }
    machine_unlock();
    return result;
}

/* A halted machine's other threads are on their way out of waits and locks: give them a moment, then go on without them, but not without
 * the one that still writes the stop report. */
static bool others_are_outside(bool halted)
{
    uint64_t deadline = host_clock_ns() + OUTSIDE_PATIENCE_NS;
    while (!ke_threads_are_outside()) {
        if (!halted)
            return false;
        if (host_clock_ns() > deadline)
            return ke_stop_is_told();
        host_sleep_ns(100000);
    }
    return true;
}

/* What goes on by itself. */
static void all_stop(void)
{
    ke_clock_hold(true);
    ex_work_stop();
}

static void all_go_on(void)
{
    ex_work_go_on();
    ke_clock_hold(false);
}

static void shutdown_layers(void)
{
    vf_automatic_boot(0);
    ke_low_resources_boot(NULL);
    ke_inject_arm(0);
    ke_faults_shutdown();
    ke_fault_resolver = NULL;
    hal_ports_reset();
    hal_pci_reset();
    hal_dma_reset();
    ex_pool_shutdown();
    ke_processes_shutdown();
    mm_shutdown();
    io_files_reset();
    io_interfaces_reset();
    io_device_properties_reset();
    io_registry_reset();
    io_power_boot();
    io_mounts_reset();
}

static size_t shutdown_locked(ntmm_report *report)
{
    size_t   leaks;
    uint32_t state = atomic_load(&ke_machine_state);

    memset(report, 0, sizeof *report);
    ke_stop_look_for_longjmp((uintptr_t)__builtin_frame_address(0));
    if (state != KE_MACHINE_UP && state != KE_MACHINE_HALTED)
        return (size_t)ke_error(0, "no machine is up, so there is nothing to shut down");
    if (state == KE_MACHINE_UP && ke_self()->irql >= DISPATCH_LEVEL && ke_self()->generation == ke_machine_generation)
        return (size_t)ke_error(-1, "ntmm_shutdown was called at IRQL %u; lower to PASSIVE_LEVEL first", ke_self()->irql);
    if (ke_stack_level((uintptr_t)__builtin_frame_address(0)) != 0)
        return (size_t)ke_error(-1, "ntmm_shutdown was called on a kernel stack, which would go with the machine; return from there first");
    host_key_open(); /* on a halted machine the thread may have had it closed, and soon nobody serves faults */
    all_stop();
    if (!ke_system_threads_shutdown()) {
        all_go_on();
        return SIZE_MAX;
    }
    if (!others_are_outside(state == KE_MACHINE_HALTED)) {
        all_go_on();
        return (size_t)ke_error(-1, state == KE_MACHINE_UP
                                        ? "another thread is inside the library or at DISPATCH_LEVEL; shut down when all are done"
                                        : "the stop report is still being written, or a bug-check callback does not return");
    }
    ke_processors_shutdown();
    if (state == KE_MACHINE_UP) {
        ex_pool_magazines(false);
        mm_spaces_unlock_all();
    }
    leaks = leaks_collect(report);
    shutdown_layers();
    atomic_store(&ke_machine_state, KE_MACHINE_OFF);
    return leaks;
}

size_t ntmm_shutdown(ntmm_report *report)
{
    static ntmm_report unread;
    machine_lock();
    size_t leaks = shutdown_locked(report != NULL ? report : &unread);
    machine_unlock();
    return leaks;
}
