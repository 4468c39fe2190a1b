/*
 * file_section.c - what a file system asks about sections over its files, by the file's SECTION_OBJECT_POINTERS.
 *
 *     user view of it, locked pages     nothing may be cut off under them, and the file not be deleted
 *     section that is open              the file may not become smaller
 *     nobody                            what is kept may be written and forgotten
 *
 * Locks       those of file.c and mm, inside.
 * Source      WDK reference: ntifs.h, the pages of these routines.
 * Fidelity    no image sections, no cache manager. A file that none of ours belongs to has no section.
 */
#include "ex/object.h"
#include "io/file.h"
#include "ke/bugcheck.h"

/* What is known of the file; all zero when nothing of it is kept. */
typedef struct facts {
    io_file_node_t    *node;
    mm_segment_usage_t usage;
    uint32_t           sections, writable_sections;
} facts_t;

static facts_t facts_of(PSECTION_OBJECT_POINTERS pointers)
{
    facts_t facts = { .node = pointers != NULL ? io_file_node_of(pointers) : NULL };
    if (facts.node == NULL)
        return facts;
    ke_lock(&io_file_lock);
    facts.sections = facts.node->sections;
    facts.writable_sections = facts.node->writable_sections;
    if (io_file_hold_locked(facts.node)) {
        mm_segment_query(facts.node->segment, &facts.usage);
        mm_segment_dereference(facts.node->segment);
    }
    ke_unlock(&io_file_lock);
    return facts;
}

static facts_t ask(const char *routine, PSECTION_OBJECT_POINTERS pointers)
{
    facts_t      facts = { 0 };
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return facts;
    facts = facts_of(pointers);
    ke_thread_leave(self);
    return facts;
}

BOOLEAN MmFlushImageSection(PSECTION_OBJECT_POINTERS SectionObjectPointer, MMFLUSH_TYPE FlushType)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    facts_t facts = ask(__func__, SectionObjectPointer);
    return FlushType != MmFlushForDelete || (facts.usage.user_views == 0 && facts.usage.pinned == 0);
}

static bool can_be_cut(const facts_t *facts, uint64_t bytes)
{
    if (facts->usage.references == 0 || bytes >= facts->usage.bytes)
        return true;
    return facts->usage.pinned == 0 && facts->sections == 0 && facts->usage.user_end <= ROUND_TO_PAGES(bytes) >> PAGE_SHIFT;
}

BOOLEAN MmCanFileBeTruncated(PSECTION_OBJECT_POINTERS SectionPointer, PLARGE_INTEGER NewFileSize)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    facts_t facts = ask(__func__, SectionPointer);
    return can_be_cut(&facts, NewFileSize != NULL && NewFileSize->QuadPart > 0 ? (uint64_t)NewFileSize->QuadPart : 0);
}

static BOOLEAN force_closed(const char *routine, PSECTION_OBJECT_POINTERS pointers, bool later)
{
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return FALSE;
    io_file_node_t *node = pointers != NULL ? io_file_node_of(pointers) : NULL;
    bool            gone = node == NULL || io_file_forget(node, later);
    ke_thread_leave(self);
    return gone;
}

BOOLEAN MmForceSectionClosed(PSECTION_OBJECT_POINTERS SectionObjectPointer, BOOLEAN DelayClose)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return force_closed(__func__, SectionObjectPointer, DelayClose);
}

BOOLEAN MmForceSectionClosedEx(PSECTION_OBJECT_POINTERS SectionObjectPointer, ULONG ForceCloseFlags)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if ((ForceCloseFlags & MM_FORCE_CLOSED_DATA) == 0) /* there is nothing but data */
        return TRUE;
    return force_closed(__func__, SectionObjectPointer, (ForceCloseFlags & MM_FORCE_CLOSED_LATER_OK) != 0);
}

ULONGLONG MmGetMaximumFileSectionSize(VOID)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return ke_thread_ready(__func__) != NULL ? mm_segments_most() << PAGE_SHIFT : 0;
}

ULONG MmDoesFileHaveUserWritableReferences(PSECTION_OBJECT_POINTERS SectionPointer)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    facts_t  facts = ask(__func__, SectionPointer);
    uint64_t count = facts.writable_sections + facts.usage.writable_user_views + facts.usage.pinned;
    return count < UINT32_MAX ? (ULONG)count : UINT32_MAX;
}

/* ---- pages ---- */

static NTSTATUS prefetch_list(const READ_LIST *list)
{
    const io_file_t *file = (const io_file_t *)list->FileObject;
    NTSTATUS         status = STATUS_SUCCESS;
    if (list->IsImage || ex_object_type_of(file) != &io_file_type || file->node == NULL)
        return STATUS_INVALID_PARAMETER_1;
    ke_lock(&io_file_lock);
    mm_segment_t *segment = io_file_hold_locked(file->node) ? file->node->segment : NULL;
    ke_unlock(&io_file_lock);
    if (segment == NULL)
        return STATUS_INVALID_PARAMETER_1;
    for (ULONG i = 0; i < list->NumberOfEntries && NT_SUCCESS(status); i++)
        status = mm_segment_prefetch(segment, list->List[i].Alignment >> PAGE_SHIFT);
    mm_segment_dereference(segment);
    return status;
}

NTSTATUS MmPrefetchPages(ULONG NumberOfLists, PREAD_LIST *ReadLists)
{
    NTSTATUS status = STATUS_SUCCESS;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    for (ULONG i = 0; i < NumberOfLists && NT_SUCCESS(status); i++)
        status = prefetch_list(ReadLists[i]);
    ke_thread_leave(self);
    return status;
}

BOOLEAN MmSetAddressRangeModified(PVOID Address, SIZE_T Length)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return FALSE;
    bool any = mm_view_set_modified(&mm_system_views, (uintptr_t)Address, Length);
    ke_thread_leave(self);
    return any;
}

BOOLEAN MmIsRecursiveIoFault(VOID)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    (void)ke_thread_ready(__func__);
    return FALSE;
}
