/*
 * section_system.c - views of sections in system space.
 *
 *     MmMapViewInSystemSpace ---> a view in mm_system_views, from the section's start on ---> MmUnmapViewInSystemSpace, by its address
 *
 * Locks       none of its own.
 * Source      WDK reference: ntddk.h, MmMapViewInSystemSpace; Bug Check 0xD7.
 */
#include "io/section.h"
#include "ke/bugcheck.h"

static NTSTATUS map_in_system(const io_section_t *section, PVOID *base, SIZE_T *bytes)
{
    mm_view_want_t want = { .bytes = *bytes != 0 ? ROUND_TO_PAGES(*bytes) : io_section_view_bytes(section) };
    if (*bytes > io_section_view_bytes(section))
        return STATUS_INVALID_VIEW_SIZE;
    want.protect = io_protect_writes(section->protect) ? PAGE_READWRITE : PAGE_READONLY;
    return io_section_map(section, &mm_system_views, &want, base, bytes);
}

static NTSTATUS map(const char *routine, PVOID object, PVOID *base, SIZE_T *bytes)
{
    *base = NULL;
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    (void)ex_object_reference(routine, object); /* stops when it is none */
    NTSTATUS status = ex_object_type_of(object) == &io_section_type ? map_in_system(object, base, bytes) : STATUS_OBJECT_TYPE_MISMATCH;
    (void)ex_object_dereference(routine, object);
    ke_thread_leave(self);
    return status;
}

static NTSTATUS unmap(const char *routine, PVOID base)
{
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    mm_view_info_t info;
    bool           there = mm_view_query(&mm_system_views, (uintptr_t)base, &info) && info.state != MEM_FREE;
    if (there && info.allocation_base == (uintptr_t)base)
        mm_view_unmap(&mm_system_views, (uintptr_t)base);
    ke_thread_leave(self);
    if (!there || info.allocation_base != (uintptr_t)base)
        ke_bugcheck(routine, "A view was to be unmapped, and none begins at that address.", DRIVER_UNMAPPING_INVALID_VIEW, (ULONG_PTR)base,
                    1, 0, 0);
    return STATUS_SUCCESS;
}

NTSTATUS MmMapViewInSystemSpace(PVOID Section, PVOID *MappedBase, PSIZE_T ViewSize)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return map(__func__, Section, MappedBase, ViewSize);
}

NTSTATUS MmUnmapViewInSystemSpace(PVOID MappedBase)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return unmap(__func__, MappedBase);
}

NTSTATUS MmMapViewInSessionSpace(PVOID Section, PVOID *MappedBase, PSIZE_T ViewSize)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return map(__func__, Section, MappedBase, ViewSize);
}

NTSTATUS MmUnmapViewInSessionSpace(PVOID MappedBase)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return unmap(__func__, MappedBase);
}
