/*
 * fault.c - a touch of an address of the machine that the host refused, and what a stop report says of such an address.
 * Pages of pageable regions come and go; what they need is page_fault.c's affair. Anything else that faults is a rule that was broken:
 *
 *     the page is there          instruction fetch, NX page           0xFC  ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY
 *                                write, read-only page                0xBE  ATTEMPTED_WRITE_TO_READONLY_MEMORY
 *                                registers that a test plays          no rule of Windows: io_map.c tells, the process gets its signal
 *                                else                                 not the driver's doing: the host is out of memory
 *     it is not, IRQL >= DISPATCH_LEVEL, a driver's instruction       0xD1  DRIVER_IRQL_NOT_LESS_OR_EQUAL
 *                                        the library's own            0xA   IRQL_NOT_LESS_OR_EQUAL
 *                                        anybody's, a driver's page   0xD3  DRIVER_PORTION_MUST_BE_NONPAGED
 *     special pool, at any IRQL          freed                        0xD5  DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, 0xCC the library's own
 *                                        beside a block               0xD6  DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, 0xCD
 *     it is nobody's, below                                           0x50  PAGE_FAULT_IN_NONPAGED_AREA
 *     it cannot be had           no frame                             0x4D  NO_PAGES_AVAILABLE
 *                                the page file cannot be read         0x7A  KERNEL_DATA_INPAGE_ERROR
 *
 * A user address (the slices of processes) is different below DISPATCH_LEVEL: it raises an exception, for a __try of the driver's.
 *
 *     nobody's, reserved, no access, written though read-only         STATUS_ACCESS_VIOLATION
 *     of another process, with forced IRQL checking                   the same
 *     a guard page, once                                              STATUS_GUARD_PAGE_VIOLATION
 *     it cannot be read                                               STATUS_IN_PAGE_ERROR
 *     no host mapping for a copy, or to open it by                    STATUS_INSUFFICIENT_RESOURCES
 *
 * Locks   none here: the resolver runs in a signal handler, the description on a halted machine.
 * Source  WDK reference: Bug Checks 0xA, 0x4D, 0x50, 0x7A, 0xBE, 0xCC, 0xCD, 0xD1, 0xD3, 0xD5, 0xD6, 0xFC.
 */
#include <stdio.h>

#include "host/protection_key.h"
#include "ke/bugcheck.h"
#include "ke/exception.h"
#include "mm/charge.h"
#include "mm/driver_pages.h"
#include "mm/io_space.h"
#include "mm/paging.h"
#include "mm/process_space.h"
#include "mm/space.h"

enum fault_type { PTE_IS_FREE = 0, NO_PTE = 2 }; /* the fourth parameter of 0x50 */

static ke_fault_answer_t stop(ke_thread_t *thread, ULONG code, uintptr_t p1, uintptr_t p2, uintptr_t p3, uintptr_t p4)
{
    thread->fault_code = code;
    thread->fault_parameter[0] = p1;
    thread->fault_parameter[1] = p2;
    thread->fault_parameter[2] = p3;
    thread->fault_parameter[3] = p4;
    return KE_FAULT_BUGCHECK;
}

/* The page is there, so the kind of access is what was wrong. */
static ke_fault_answer_t refused_access(ke_thread_t *thread, const host_fault_t *fault, uint64_t pte)
{
    if (fault->execute && (pte & MM_PTE_NX) != 0)
        return stop(thread, ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, fault->address, pte, 0, 0);
    if (fault->write && (pte & MM_PTE_WRITE) == 0)
        return stop(thread, ATTEMPTED_WRITE_TO_READONLY_MEMORY, fault->address, pte, 0, 0);
    if ((pte & MM_PTE_DEVICE) == 0)
        return KE_FAULT_UNKNOWN;
    mm_io_tell_plain_access(fault, pte);
    return KE_FAULT_PASSED_ON;
}

static ke_fault_answer_t irql_too_high(ke_thread_t *thread, const host_fault_t *fault)
{
    bool ours = host_is_library_code(fault->pc);
    return stop(thread, ours ? IRQL_NOT_LESS_OR_EQUAL : DRIVER_IRQL_NOT_LESS_OR_EQUAL, fault->address, thread->irql,
                fault->execute ? 8
                : fault->write ? 1
                               : 0,
                fault->pc);
}

static ke_fault_answer_t special_page(ke_thread_t *thread, const host_fault_t *fault, bool freed)
{
    static const ULONG CODES[2][2] = { { DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, PAGE_FAULT_BEYOND_END_OF_ALLOCATION },
                                       { DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, PAGE_FAULT_IN_FREED_SPECIAL_POOL } };
    return stop(thread, CODES[freed][host_is_library_code(fault->pc)], fault->address, fault->write ? 1 : 0, fault->pc, 0);
}

static ke_fault_answer_t nobodys_page(ke_thread_t *thread, const host_fault_t *fault)
{
    mm_special_t special = mm_special_at(fault->address);
    if (special.is != MM_SPECIAL_NONE)
        return special_page(thread, fault, special.is == MM_SPECIAL_FREED);
    if (thread->irql >= DISPATCH_LEVEL)
        return irql_too_high(thread, fault);
    bool has_table = mm_in(&mm_system_pte_region, fault->address) || mm_in(&mm_paged_region, fault->address) ||
                     mm_in(&mm_system_view_region, fault->address);
    return stop(thread, PAGE_FAULT_IN_NONPAGED_AREA, fault->address, ke_fault_kind(fault), fault->pc, has_table ? PTE_IS_FREE : NO_PTE);
}

static ke_fault_answer_t no_pages(ke_thread_t *thread)
{
    uint64_t dirty = mm_frames.list[MM_MODIFIED].count;
    uint64_t nonpaged = mm_pool_limit_pages(MM_NONPAGED_NX) - mm_gauge_now(MM_GAUGE_NONPAGED);
    return stop(thread, NO_PAGES_AVAILABLE, dirty, dirty, nonpaged, (ULONG)mm_modified_error);
}

static ke_fault_answer_t in_page_error(ke_thread_t *thread, const host_fault_t *fault)
{
    static const uint64_t none; /* a page of a driver's image has no PTE here */
    const mm_space_t     *space = mm_space_find(fault->address);
    const uint64_t       *pte = &none;
    if (space != NULL)
        pte = mm_prototype(space->ptes[mm_space_index(space, fault->address)]);
    else if (mm_in(&mm_paged_region, fault->address))
        pte = &mm_paged_table.ptes[mm_table_index(&mm_paged_table, fault->address)];
    return stop(thread, KERNEL_DATA_INPAGE_ERROR, (uintptr_t)pte, (uintptr_t)(ULONG)STATUS_IO_DEVICE_ERROR, mm_pte_read(pte),
                fault->address);
}

static ke_fault_answer_t fault_answer(ke_thread_t *thread, const host_fault_t *fault, mm_page_answer_t answer)
{
    switch (answer) {
    case MM_PAGE_RESOLVED: return KE_FAULT_RESOLVED;
    case MM_PAGE_ABSENT: return nobodys_page(thread, fault);
    case MM_PAGE_REFUSED: return refused_access(thread, fault, mm_pte_of(fault->address));
    case MM_PAGE_IRQL: return irql_too_high(thread, fault);
    case MM_PAGE_NO_FRAME:
    case MM_PAGE_NO_ROOM: return no_pages(thread);
    case MM_PAGE_IO_ERROR: return in_page_error(thread, fault);
    default: return KE_FAULT_UNKNOWN;
    }
}

/* ---- views ---- */

static ke_fault_answer_t raise(ke_thread_t *thread, const host_fault_t *fault, NTSTATUS status, NTSTATUS why)
{
    thread->fault_code = (ULONG)status;
    thread->fault_parameter[0] = fault->execute ? 8 : fault->write ? 1 : 0;
    thread->fault_parameter[1] = fault->address;
    thread->fault_parameter[2] = (ULONG)why;
    if (status == STATUS_ACCESS_VIOLATION)
        atomic_fetch_add_explicit(&ke_access_violations, 1, memory_order_relaxed);
    return KE_FAULT_EXCEPTION;
}

static ke_fault_answer_t refused_view_access(ke_thread_t *thread, const host_fault_t *fault)
{
    return refused_access(thread, fault, mm_pte_make(mm_pte_pfn(mm_pte_of(fault->address)), HOST_READ));
}

static ke_fault_answer_t user_page(ke_thread_t *thread, const host_fault_t *fault)
{
    bool high = thread->irql >= DISPATCH_LEVEL;
    switch (mm_touch_is_foreign(thread, fault->address) ? MM_PAGE_ABSENT : mm_view_fault(thread, fault)) {
    case MM_PAGE_RESOLVED: return KE_FAULT_RESOLVED;
    case MM_PAGE_ABSENT: return high ? irql_too_high(thread, fault) : raise(thread, fault, STATUS_ACCESS_VIOLATION, 0);
    case MM_PAGE_REFUSED:
        return high || fault->execute ? refused_view_access(thread, fault) : raise(thread, fault, STATUS_ACCESS_VIOLATION, 0);
    case MM_PAGE_GUARD: return raise(thread, fault, STATUS_GUARD_PAGE_VIOLATION, 0);
    case MM_PAGE_IRQL: return irql_too_high(thread, fault);
    case MM_PAGE_NO_FRAME: return no_pages(thread);
    case MM_PAGE_NO_ROOM: return raise(thread, fault, STATUS_INSUFFICIENT_RESOURCES, 0);
    case MM_PAGE_IO_ERROR: return raise(thread, fault, STATUS_IN_PAGE_ERROR, STATUS_IO_DEVICE_ERROR);
    default: return KE_FAULT_UNKNOWN;
    }
}

/* ---- images of drivers ---- */

/* A page of a driver's image. */
static ke_fault_answer_t portion_of_driver(ke_thread_t *thread, const host_fault_t *fault)
{
    const uint64_t made_up = MM_PTE_VALID | MM_PTE_ACCESSED | (fault->execute ? MM_PTE_NX : 0);
    switch (mm_page_fault(thread, fault)) {
    case MM_PAGE_ABSENT: /* it has ceased to be pageable meanwhile: the next touch tells */
    case MM_PAGE_RESOLVED: return KE_FAULT_RESOLVED;
    case MM_PAGE_REFUSED: return refused_access(thread, fault, made_up);
    case MM_PAGE_IRQL: return stop(thread, DRIVER_PORTION_MUST_BE_NONPAGED, fault->address, thread->irql, fault->write ? 1 : 0, fault->pc);
    case MM_PAGE_NO_FRAME: return no_pages(thread);
    case MM_PAGE_IO_ERROR: return in_page_error(thread, fault);
    default: return KE_FAULT_UNKNOWN;
    }
}

static ke_fault_answer_t system_view_page(ke_thread_t *thread, const host_fault_t *fault)
{
    mm_page_answer_t answer = mm_view_fault(thread, fault);
    return answer == MM_PAGE_REFUSED ? refused_view_access(thread, fault) : fault_answer(thread, fault, answer);
}

ke_fault_answer_t mm_fault_resolve(ke_thread_t *thread, const host_fault_t *fault)
{
    if (fault->by_key && mm_fault_irql_is_low(thread)) /* a thread that nobody has opened it to, or a signal handler in one */
        return host_key_open_interrupted(fault) ? KE_FAULT_RESOLVED : KE_FAULT_UNKNOWN;
    if (mm_driver_has(fault->address))
        return portion_of_driver(thread, fault);
    if (mm_is_bad_pointer(fault->address) || mm_driver_init_has(fault->address))
        return nobodys_page(thread, fault);
    if (fault->non_canonical)
        return KE_FAULT_UNKNOWN;
    if (mm_in(&mm_paged_region, fault->address))
        return fault_answer(thread, fault, mm_page_fault(thread, fault));
    if (mm_in(&mm_user_region, fault->address))
        return user_page(thread, fault);
    if (!mm_in(&mm_all, fault->address))
        return KE_FAULT_UNKNOWN;
    if (mm_in(&mm_system_view_region, fault->address))
        return system_view_page(thread, fault);
    uint64_t pte = mm_pte_of(fault->address);
    if (mm_pte_is_valid(pte))
        return refused_access(thread, fault, pte);
    return nobodys_page(thread, fault);
}

/* ---- stop reports ---- */

static const char *list_name(uint8_t list)
{
    static const char *const names[MM_LISTS] = { "zeroed", "free",  "free, in a frame cache", "standby", "modified", "modified-no-write",
                                                 "bad",    "active" };
    return list < MM_LISTS ? names[list] : "on no list: its PFN entry is damaged";
}

static const char *use_name(uint8_t use)
{
    switch (use) {
    case MM_USE_CONTIGUOUS: return ", contiguous memory";
    case MM_USE_NONCACHED: return ", noncached memory";
    case MM_USE_TAIL: return ", contiguous or noncached memory";
    case MM_USE_MAPPED: return ", mapped elsewhere";
    case MM_USE_KERNEL_STACK: return ", a kernel stack";
    case MM_USE_SYSTEM: return ", the machine's own";
    case MM_USE_MDL:
    case MM_USE_MDL_TAIL: return ", the mapping of an MDL";
    case MM_USE_RESERVED: return ", reserved for MDLs";
    case MM_USE_MDL_PAGES:
    case MM_USE_MDL_PAGES_TAIL: return ", a page of MmAllocatePagesForMdl";
    default: return "";
    }
}

/* The pools know more of their pages than we do. */
static bool is_for_the_pools(uint8_t use) { return use >= MM_USE_POOL_BLOCKS && use <= MM_USE_POOL_CACHED; }

static bool describe_home(const char *map, uint64_t physical, char *line, size_t bytes)
{
    mm_pfn_number_t pfn = physical >> PAGE_SHIFT;
    if (!mm_pfn_is_ram_locked(pfn)) {
        snprintf(line, bytes, "%s, physical address 0x%llx, which is no RAM", map, (unsigned long long)physical);
        return true;
    }
    const mm_pfn_t *entry = mm_pfn_entry(pfn);
    if (entry->list == MM_ACTIVE && is_for_the_pools(entry->owner.use))
        return false;
    snprintf(line, bytes, "%s, PFN 0x%llx, %s%s", map, (unsigned long long)pfn, list_name(entry->list),
             entry->list == MM_ACTIVE ? use_name(entry->owner.use) : "");
    return true;
}

static bool describe_page(const char *region, const mm_page_table_t *table, uintptr_t va, char *line, size_t bytes)
{
    uint64_t pte = table->ptes[mm_table_index(table, va)];
    uint8_t  use = table->owners[mm_table_index(table, va)].use;
    if (mm_special_at(va).is != MM_SPECIAL_NONE)
        return false;
    if (!mm_pte_is_valid(pte)) {
        snprintf(line, bytes, "%s, no page is there now: freed, or never allocated", region);
        return true;
    }
    if (is_for_the_pools(use))
        return false;
    snprintf(line, bytes, "%s, PFN 0x%llx%s", region, (unsigned long long)mm_pte_pfn(pte), use_name(use));
    return true;
}

/* Where a page is that somebody has and that is not there. False: it is. */
static bool describe_absent(const char *region, uint64_t pte, char *line, size_t bytes)
{
    mm_pfn_number_t pfn = mm_pte_pfn(pte);
    if (mm_pte_is_valid(pte) || !mm_pte_is_taken(pte))
        return false;
    if (mm_pte_is_transition(pte))
        snprintf(line, bytes, "%s, not in the working set: PFN 0x%llx on the %s list, a soft fault away", region, (unsigned long long)pfn,
                 list_name(mm_pfn_entry(pfn)->list));
    else if (mm_pte_file_slot(pte) == MM_IN_SEGMENT_FILE)
        snprintf(line, bytes, "%s, not in memory: in the file that the section is over", region);
    else if (mm_is_page_file_slot(mm_pte_file_slot(pte)))
        snprintf(line, bytes, "%s, paged out: in the page file at slot 0x%x", region, mm_pte_file_slot(pte));
    else
        snprintf(line, bytes, "%s, a page that was %s: it would be zeros", region, mm_pte_file_slot(pte) != 0 ? "reset" : "never touched");
    return true;
}

static const char *protect_name(uint32_t protect)
{
    switch (protect & 0xFFu) {
    case PAGE_NOACCESS: return "PAGE_NOACCESS";
    case PAGE_READONLY: return "PAGE_READONLY";
    case PAGE_READWRITE: return "PAGE_READWRITE";
    case PAGE_WRITECOPY: return "PAGE_WRITECOPY";
    case PAGE_EXECUTE: return "PAGE_EXECUTE";
    case PAGE_EXECUTE_READ: return "PAGE_EXECUTE_READ";
    case PAGE_EXECUTE_READWRITE: return "PAGE_EXECUTE_READWRITE";
    case PAGE_EXECUTE_WRITECOPY: return "PAGE_EXECUTE_WRITECOPY";
    default: return "no protection that there is";
    }
}

/* `text` names the space; what lies at the address is told behind it. */
static void describe_in_space(const char *text, const mm_space_t *space, uintptr_t va, char *line, size_t bytes)
{
    char     where[160];
    uint64_t pte = space->ptes[mm_space_index(space, va)];
    uint32_t protect = mm_view_pte_protect(pte);
    if (pte == 0) {
        snprintf(line, bytes, "%s, nothing lies there now: freed, unmapped, or never there", text);
        return;
    }
    const mm_view_t *view = mm_view_numbered(mm_view_pte_view(pte));
    snprintf(where, sizeof where, "%s, %s at 0x%llx, %s%s", text,
             (pte & MM_VIEW_COPIED) != 0 ? "a private copy in the view of a section"
             : view->segment != NULL     ? "view of a section"
                                         : "private memory",
             (unsigned long long)mm_space_va(space, view->first), protect_name(protect),
             (protect & PAGE_GUARD) != 0 ? " | PAGE_GUARD" : "");
    if (!mm_view_pte_is_committed(pte))
        snprintf(line, bytes, "%s, reserved and not committed", where);
    else if (!describe_absent(where, *mm_prototype(pte), line, bytes))
        snprintf(line, bytes, "%s, PFN 0x%llx", where, (unsigned long long)mm_pte_pfn(*mm_prototype(pte)));
}

static bool describe_user(uintptr_t va, char *line, size_t bytes)
{
    char              text[64];
    const mm_space_t *space = mm_space_find(va);
    if (space == NULL) {
        snprintf(line, bytes, "a user address that no process has: it is gone, or never was");
        return true;
    }
    snprintf(text, sizeof text, "user memory of process slice %u", space->number);
    describe_in_space(text, space, va, line, bytes);
    return true;
}

static bool describe_shared(uintptr_t va, char *line, size_t bytes)
{
    static const char what[] = "the machine's own view of user memory and sections";
    uint64_t          pte = mm_shared_table.ptes[mm_table_index(&mm_shared_table, va)];
    if (describe_absent(what, pte, line, bytes))
        return true;
    if (mm_pte_is_valid(pte))
        snprintf(line, bytes, "%s, PFN 0x%llx", what, (unsigned long long)mm_pte_pfn(pte));
    else
        snprintf(line, bytes, "%s, no page is there now", what);
    return true;
}

static bool describe(uintptr_t va, char *line, size_t bytes)
{
    if (mm_is_bad_pointer(va)) {
        snprintf(line, bytes, "MM_BAD_POINTER, which nobody may follow");
        return true;
    }
    if (mm_driver_init_describe(va, line, bytes))
        return true;
    if (mm_driver_has(va))
        return mm_driver_describe(va, line, bytes);
    if (mm_in(&mm_physical_map, va))
        return describe_home("physical map", va - mm_physical_map.base, line, bytes);
    if (mm_in(&mm_executable_map, va))
        return describe_home("executable map of RAM", va - mm_executable_map.base, line, bytes);
    if (mm_in(&mm_system_pte_region, va))
        return mm_io_describe_mapping(va, line, bytes) || describe_page("system PTEs", &mm_system_table, va, line, bytes);
    if (mm_in(&mm_paged_region, va))
        return describe_absent("paged pool", mm_pte_of(va), line, bytes) || describe_page("paged pool", &mm_paged_table, va, line, bytes);
    if (mm_in(&mm_slot_region, va))
        return describe_page("the machine's own view of paged pool", &mm_paged_table, va - mm_slot_region.base + mm_paged_region.base, line,
                             bytes);
    if (mm_in(&mm_shared_region, va))
        return describe_shared(va, line, bytes);
    if (mm_in(&mm_user_region, va))
        return describe_user(va, line, bytes);
    if (mm_in(&mm_system_view_region, va)) {
        describe_in_space("system space", &mm_system_views, va, line, bytes);
        return true;
    }
    return mm_io_describe_view(va, line, bytes);
}

void mm_describe_register(void) { ke_describe_register(describe); }
