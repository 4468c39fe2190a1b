/*
 * object.c - who refers to an object: counted in a header in front of it, or by the table where it lives.
 *
 *     | header: type, references | the object, whose address drivers have ...
 *
 * A header names its own address, so that a pointer to something else is known before anything is changed, and so is an object that has been
 * deleted, for as long as its block of pool has not been used again.
 *
 * Locks       none: counts are atomic; the list of homes is written while nothing runs.
 * Source      WDK reference: wdm.h, ObReferenceObject, ObDereferenceObject, ObReferenceObjectByPointer; Bug Check 0x18.
 * Fidelity    no names, no directories, no security; no optional headers. A reference or a handle that is never given back shows as the
 *             block of pool that is never freed.
 */
#include "ex/object.h"

#include "host/host.h"
#include "ke/bugcheck.h"

#define OBJECT_MARK UINT64_C(0x4E544D4D4F424A31)
#define HOMES_MAX 8u

typedef struct object_header {
    uint64_t                mark;       /* (B) OBJECT_MARK and the header's address; 0: deleted */
    const ex_object_type_t *type;       /* (B) */
    _Atomic int64_t         references; /* (A) */
    _Atomic int64_t         handles;    /* (A) that are open */
} object_header_t;
_Static_assert(sizeof(object_header_t) == 32, "what follows is aligned like a block of pool");

static const ex_object_home_t *homes[HOMES_MAX];
static size_t                  home_count;

void ex_object_home_add(const ex_object_home_t *home)
{
    for (size_t i = 0; i < home_count; i++)
        if (homes[i] == home)
            return;
    NTMM_INVARIANT(home_count < HOMES_MAX, "there is room for every kind of object that a lower layer has");
    homes[home_count++] = home;
}

/* ---- whose is an address ---- */

static const ex_object_home_t *home_of(const void *object)
{
    for (size_t i = 0; i < home_count; i++)
        if (homes[i]->holds(object))
            return homes[i];
    return NULL;
}

static uint64_t mark_of(const object_header_t *header) { return OBJECT_MARK ^ (uintptr_t)header; }

/* NULL: there is none in front of it. A bad address faults here, with nothing locked. */
static object_header_t *header_of(const void *object)
{
    object_header_t *header = (object_header_t *)(uintptr_t)object - 1;
    return (uintptr_t)object % 16 == 0 && header->mark == mark_of(header) ? header : NULL;
}

const ex_object_type_t *ex_object_type_of(const void *object)
{
    const ex_object_home_t *home = home_of(object);
    if (home != NULL)
        return home->type;
    const object_header_t *header = header_of(object);
    return header != NULL ? header->type : NULL;
}

/* ---- counting ---- */

void *ex_object_create(const ex_object_type_t *type, size_t bytes)
{
    object_header_t *header = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *header + bytes, type->tag);
    if (header == NULL)
        return NULL;
    header->mark = mark_of(header);
    header->type = type;
    atomic_store(&header->references, 1);
    return header + 1;
}

static NTMM_COLD _Noreturn void bad_count(const char *routine, const ex_object_type_t *type, const void *object, const char *why)
{
    ke_bugcheck(routine, why, REFERENCE_BY_POINTER, (ULONG_PTR)type, (ULONG_PTR)object, 0, 0);
}

static NTMM_COLD _Noreturn void no_object(const char *routine, const void *object)
{
    bad_count(routine, ex_object_type_of(object), object, "The address is that of no object, or nobody refers to that any more.");
}

int64_t ex_object_try_reference(void *object)
{
    const ex_object_home_t *home = home_of(object);
    if (home != NULL)
        return home->reference(object);
    object_header_t *header = header_of(object);
    return header != NULL ? atomic_fetch_add(&header->references, 1) + 1 : -1;
}

int64_t ex_object_reference(const char *routine, void *object)
{
    int64_t now = ex_object_try_reference(object);
    if (now < 0)
        no_object(routine, object);
    return now;
}

void ex_object_delete(void *object)
{
    object_header_t        *header = (object_header_t *)object - 1;
    const ex_object_type_t *type = header->type;
    if (type->deleted != NULL)
        type->deleted(object);
    header->mark = 0;
    ExFreePoolWithTag(header, type->tag);
}

int64_t ex_object_dereference(const char *routine, void *object)
{
    static const char       too_often[] = "The object was dereferenced more often than it was referenced.";
    const ex_object_home_t *home = home_of(object);
    object_header_t        *header = home == NULL ? header_of(object) : NULL;
    if (home == NULL && header == NULL)
        no_object(routine, object);
    int64_t now = home != NULL ? home->dereference(object) : atomic_fetch_sub(&header->references, 1) - 1;
    if (now < 0)
        bad_count(routine, home != NULL ? home->type : header->type, object, too_often);
    if (now == 0 && header != NULL && (header->type->postpone == NULL || !header->type->postpone(object)))
        ex_object_delete(object);
    return now;
}

void ex_object_handle_opened(void *object)
{
    object_header_t *header = home_of(object) == NULL ? header_of(object) : NULL;
    if (header != NULL)
        atomic_fetch_add(&header->handles, 1);
}

bool ex_object_handle_closed(void *object)
{
    object_header_t *header = home_of(object) == NULL ? header_of(object) : NULL;
    return header != NULL && atomic_fetch_sub(&header->handles, 1) == 1;
}

ACCESS_MASK ex_object_map_access(const ex_object_type_t *type, ACCESS_MASK access)
{
    ACCESS_MASK mapped = access & ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL | MAXIMUM_ALLOWED);
    mapped |= (access & GENERIC_READ) != 0 ? type->generic_read : 0;
    mapped |= (access & GENERIC_WRITE) != 0 ? type->generic_write : 0;
    mapped |= (access & GENERIC_EXECUTE) != 0 ? type->generic_execute : 0;
    mapped |= (access & (GENERIC_ALL | MAXIMUM_ALLOWED)) != 0 ? type->all_access : 0;
    return mapped;
}

/* ---- what drivers call ---- */

LONG_PTR ObfReferenceObject(PVOID Object)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return 0;
    int64_t now = ex_object_reference(__func__, Object);
    ke_thread_leave(self);
    return now;
}

LONG_PTR ObfDereferenceObject(PVOID Object)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return 0;
    ke_thread_leave(self); /* a driver may be called: its IRP_MJ_CLOSE */
    return ex_object_dereference(__func__, Object);
}

LONG_PTR ObfReferenceObjectWithTag(PVOID Object, ULONG Tag)
{
    (void)Tag;
    return ObfReferenceObject(Object);
}

LONG_PTR ObfDereferenceObjectWithTag(PVOID Object, ULONG Tag)
{
    (void)Tag;
    return ObfDereferenceObject(Object);
}

VOID ObDereferenceObjectDeferDelete(PVOID Object) { ObfDereferenceObject(Object); }

VOID ObDereferenceObjectDeferDeleteWithTag(PVOID Object, ULONG Tag)
{
    (void)Tag;
    ObfDereferenceObject(Object);
}

NTSTATUS ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode)
{
    (void)DesiredAccess;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    const ex_object_type_t *type = ex_object_type_of(Object);
    bool                    fits = ObjectType != NULL ? type == ObjectType : AccessMode == KernelMode;
    if (fits || type == NULL)
        (void)ex_object_reference(__func__, Object);
    ke_thread_leave(self);
    return fits ? STATUS_SUCCESS : STATUS_OBJECT_TYPE_MISMATCH;
}

NTSTATUS ObReferenceObjectByPointerWithTag(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                           ULONG Tag)
{
    (void)Tag;
    return ObReferenceObjectByPointer(Object, DesiredAccess, ObjectType, AccessMode);
}
