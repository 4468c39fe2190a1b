/*
 * section_map.c - views of sections among the user addresses of a process.
 * The arguments are rounded as the reference says, and looked at; the rest is mm's (mm/view.h).
 *
 * Locks       none of its own.
 * Source      WDK reference: wdm.h, ZwMapViewOfSection, ZwUnmapViewOfSection.
 * Fidelity    which of several mistakes is told first is a choice.
 */
#include "ex/handle.h"
#include "ex/vm_target.h"
#include "io/section.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"

#define GRANULE ((uint64_t)MM_USER_ALLOCATION_GRANULARITY)
#define ZERO_BITS_MOST 21u

NTSTATUS io_section_map(const io_section_t *section, mm_space_t *space, mm_view_want_t *want, PVOID *base, SIZE_T *bytes)
{
    uintptr_t va = 0;
    if (ke_inject_failure())
        return STATUS_INSUFFICIENT_RESOURCES;
    want->type = MEM_MAPPED;
    want->segment = section->segment;
    NTSTATUS status = mm_view_map(space, want, &va);
    if (NT_SUCCESS(status)) {
        *base = (PVOID)va;
        *bytes = want->bytes;
    }
    return status;
}

/* ---- what was asked for ---- */

typedef struct request {
    uintptr_t       base;
    ULONG_PTR       zero_bits;
    uint64_t        commit, offset, bytes; /* bytes 0: up to the end */
    SECTION_INHERIT inherit;
    ULONG           type, protect;
} request_t;

static NTSTATUS look_at(const request_t *request)
{
    if (request->zero_bits >= ZERO_BITS_MOST)
        return STATUS_INVALID_PARAMETER_4;
    if (request->inherit != ViewShare && request->inherit != ViewUnmap)
        return STATUS_INVALID_PARAMETER_8;
    if ((request->type & ~(ULONG)(MEM_RESERVE | MEM_TOP_DOWN | MEM_LARGE_PAGES)) != 0)
        return STATUS_INVALID_PARAMETER_9;
    return io_protect_is_valid(request->protect) ? STATUS_SUCCESS : STATUS_INVALID_PAGE_PROTECTION;
}

static NTSTATUS fit(const io_section_t *section, const request_t *request, mm_view_want_t *want)
{
    uint64_t all = io_section_view_bytes(section), offset = request->offset / GRANULE * GRANULE, slack = request->offset - offset;
    if ((request->type & MEM_LARGE_PAGES) != 0 && (section->attributes & SEC_LARGE_PAGES) == 0)
        return STATUS_INVALID_PARAMETER_9;
    if (request->offset >= all)
        return STATUS_INVALID_VIEW_SIZE;
    want->bytes = request->bytes != 0 ? ROUND_TO_PAGES(request->bytes + slack) : all - offset;
    if (request->bytes > all || want->bytes > all - offset)
        return STATUS_INVALID_VIEW_SIZE;
    if (request->commit > want->bytes)
        return STATUS_INVALID_PARAMETER_5;
    if (!io_section_allows(section, request->protect))
        return STATUS_SECTION_PROTECTION;
    want->first_page = offset >> PAGE_SHIFT;
    want->address = (uintptr_t)(request->base / GRANULE * GRANULE);
    want->limit = request->zero_bits != 0 ? UINT64_C(1) << (32 - request->zero_bits) : 0;
    want->top_down = (request->type & MEM_TOP_DOWN) != 0;
    want->protect = request->protect;
    return STATUS_SUCCESS;
}

/* Of a section that is only reserved, the first bytes; if they cannot be had the view goes again. */
static NTSTATUS commit(const io_section_t *section, mm_space_t *space, const request_t *request, PVOID base)
{
    if (request->commit == 0 || (section->attributes & SEC_RESERVE) == 0 || section->node != NULL)
        return STATUS_SUCCESS;
    NTSTATUS status = mm_view_commit(space, (uintptr_t)base, ROUND_TO_PAGES(request->commit), request->protect);
    if (!NT_SUCCESS(status))
        mm_view_unmap(space, (uintptr_t)base);
    return status;
}

static NTSTATUS map(const io_section_t *section, HANDLE process, request_t *request, PVOID *base, SIZE_T *bytes)
{
    ex_vm_target_t target;
    mm_view_want_t want = { 0 };
    NTSTATUS       status = fit(section, request, &want);
    if (NT_SUCCESS(status))
        status = ex_vm_open(process, 0, true, &target);
    if (!NT_SUCCESS(status))
        return status;
    status = io_section_map(section, target.space, &want, base, bytes);
    if (NT_SUCCESS(status))
        status = commit(section, target.space, request, *base);
    ex_vm_close(&target);
    request->offset = want.first_page << PAGE_SHIFT;
    return status;
}

static NTSTATUS map_view(HANDLE handle, HANDLE process, request_t *request, PVOID *base, SIZE_T *bytes)
{
    void    *section = NULL;
    NTSTATUS status = look_at(request);
    if (NT_SUCCESS(status))
        status = ex_handle_reference(handle, 0, &io_section_type, KernelMode, &section, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = map(section, process, request, base, bytes);
    (void)ex_object_dereference("ZwMapViewOfSection", section);
    return status;
}

NTSTATUS ZwMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits, SIZE_T CommitSize,
                            PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize, SECTION_INHERIT InheritDisposition, ULONG AllocationType,
                            ULONG Win32Protect)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    request_t request = { .base = (uintptr_t)*BaseAddress, .zero_bits = ZeroBits, .commit = CommitSize, .bytes = *ViewSize };
    PVOID     base = NULL;
    SIZE_T    bytes = 0;
    request.offset = SectionOffset != NULL ? (uint64_t)SectionOffset->QuadPart : 0;
    request.inherit = InheritDisposition;
    request.type = AllocationType;
    request.protect = Win32Protect;
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = map_view(SectionHandle, ProcessHandle, &request, &base, &bytes);
    ke_thread_leave(self);
    if (!NT_SUCCESS(status))
        return status;
    *BaseAddress = base;
    *ViewSize = bytes;
    if (SectionOffset != NULL)
        SectionOffset->QuadPart = (LONGLONG)request.offset;
    return status;
}

/* ---- and back ---- */

static NTSTATUS unmap(mm_space_t *space, uintptr_t va)
{
    mm_view_info_t info;
    if (space == NULL || !mm_view_query(space, va, &info) || info.type == MEM_PRIVATE)
        return STATUS_NOT_MAPPED_VIEW;
    NTSTATUS status = mm_view_unmap(space, va);
    return status == STATUS_INVALID_PAGE_PROTECTION ? STATUS_ACCESS_DENIED : status;
}

NTSTATUS ZwUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ex_vm_target_t target;
    ke_thread_t   *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = ex_vm_open(ProcessHandle, 0, false, &target);
    if (NT_SUCCESS(status)) {
        status = unmap(target.space, (uintptr_t)BaseAddress);
        ex_vm_close(&target);
    }
    ke_thread_leave(self);
    return status;
}
