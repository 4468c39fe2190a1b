/*
 * object_callbacks.c - ObRegisterCallbacks: drivers that see handles of processes and threads opened, and may take rights away.
 *
 *     ex_handle_open --> before, highest altitude first: PreOperation may clear bits of DesiredAccess
 *                    --> the handle
 *                    --> after, lowest altitude first: PostOperation, with the CallContext of its own PreOperation
 *
 * Locks       callbacks_lock (leaf) for the list and the counts; drivers' routines run with none held.
 * Source      WDK reference: wdm.h, ObRegisterCallbacks, ObUnRegisterCallbacks, ObGetFilterVersion, OB_PRE_OPERATION_INFORMATION,
 *             OB_PRE_CREATE_HANDLE_INFORMATION.
 * Fidelity    handles are not duplicated here. At most eight drivers. Altitudes are compared as decimal numbers.
 */
#include "ex/object_callbacks.h"

#include <string.h>

#include "ex/altitude.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_CALLBACKS NTMM_TAG("ObCb")

typedef struct registration {
    LIST_ENTRY                link;
    PVOID                     context;
    UNICODE_STRING            altitude;
    USHORT                    count;
    ULONG                     running; /* openings that hold it */
    bool                      gone;
    OB_OPERATION_REGISTRATION operations[];
} registration_t;

static ke_lock_t        callbacks_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY       registrations; /* callbacks_lock; highest altitude first */
static _Atomic uint32_t registered;

void ex_object_callbacks_boot(void)
{
    ke_lock_init(&callbacks_lock, KE_RANK_LEAF);
    InitializeListHead(&registrations);
    atomic_store(&registered, 0);
}

/* STATUS_FLT_INSTANCE_ALTITUDE_COLLISION: somebody is there already. */
static NTSTATUS insert_locked(registration_t *fresh)
{
    PLIST_ENTRY at = registrations.Flink;
    int         order = -1;
    for (; at != &registrations; at = at->Flink) {
        order = ex_altitude_compare(&fresh->altitude, &CONTAINING_RECORD(at, registration_t, link)->altitude);
        if (order >= 0)
            break;
    }
    if (at != &registrations && order == 0)
        return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
    InsertTailList(at, &fresh->link);
    return STATUS_SUCCESS;
}

/* ---- registering ---- */

static bool makes_sense(const OB_CALLBACK_REGISTRATION *registration)
{
    const ULONG known = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;
    if ((registration->Version & 0xFF00) != OB_FLT_REGISTRATION_VERSION_0100 || registration->OperationRegistrationCount == 0)
        return false;
    for (USHORT i = 0; i < registration->OperationRegistrationCount; i++) {
        const OB_OPERATION_REGISTRATION *one = &registration->OperationRegistration[i];
        if (one->ObjectType == NULL || (*one->ObjectType != *PsProcessType && *one->ObjectType != *PsThreadType))
            return false;
        if (one->Operations == 0 || (one->Operations & ~known) != 0 || (one->PreOperation == NULL && one->PostOperation == NULL))
            return false;
    }
    return true;
}

static registration_t *make(const OB_CALLBACK_REGISTRATION *from)
{
    size_t          operations = from->OperationRegistrationCount * sizeof(OB_OPERATION_REGISTRATION);
    registration_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh + operations + from->Altitude.Length, TAG_CALLBACKS);
    if (fresh == NULL)
        return NULL;
    fresh->context = from->RegistrationContext;
    fresh->count = from->OperationRegistrationCount;
    memcpy(fresh->operations, from->OperationRegistration, operations);
    fresh->altitude.Buffer = (PWSTR)(void *)((char *)fresh->operations + operations);
    fresh->altitude.Length = fresh->altitude.MaximumLength = from->Altitude.Length;
    if (from->Altitude.Length != 0)
        memcpy(fresh->altitude.Buffer, from->Altitude.Buffer, from->Altitude.Length);
    return fresh;
}

NTSTATUS ObRegisterCallbacks(POB_CALLBACK_REGISTRATION CallbackRegistration, PVOID *RegistrationHandle)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    *RegistrationHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (!makes_sense(CallbackRegistration))
        return STATUS_INVALID_PARAMETER;
    registration_t *fresh = make(CallbackRegistration);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    ke_lock(&callbacks_lock);
    NTSTATUS status = atomic_load(&registered) < EX_OBJECT_CALLBACKS_MAX ? insert_locked(fresh) : STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(status))
        atomic_fetch_add(&registered, 1);
    ke_unlock(&callbacks_lock);
    if (NT_SUCCESS(status))
        *RegistrationHandle = fresh;
    else
        ExFreePoolWithTag(fresh, TAG_CALLBACKS);
    return status;
}

static void let_go(registration_t *registration)
{
    ke_lock(&callbacks_lock);
    bool last = --registration->running == 0 && registration->gone;
    ke_unlock(&callbacks_lock);
    if (last)
        ExFreePoolWithTag(registration, TAG_CALLBACKS);
}

/* Who runs one of its routines just now frees it; Windows waits here. */
VOID ObUnRegisterCallbacks(PVOID RegistrationHandle)
{
    registration_t *registration = RegistrationHandle;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    ke_lock(&callbacks_lock);
    RemoveEntryList(&registration->link);
    registration->gone = true;
    registration->running++;
    ke_unlock(&callbacks_lock);
    atomic_fetch_sub(&registered, 1);
    while (__atomic_load_n(&registration->running, __ATOMIC_ACQUIRE) != 1) {
        LARGE_INTEGER moment = { .QuadPart = -10000 };
        (void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
    }
    let_go(registration);
}

USHORT ObGetFilterVersion(VOID) { return OB_FLT_REGISTRATION_VERSION; }

/* ---- an opening ---- */

static const OB_OPERATION_REGISTRATION *operation_of(const registration_t *registration, const ex_object_type_t *type)
{
    for (USHORT i = 0; i < registration->count; i++)
        if (*registration->operations[i].ObjectType == type && (registration->operations[i].Operations & OB_OPERATION_HANDLE_CREATE) != 0)
            return &registration->operations[i];
    return NULL;
}

static void gather(ex_object_opening_t *opening, const ex_object_type_t *type)
{
    ke_lock(&callbacks_lock);
    for (PLIST_ENTRY at = registrations.Flink; at != &registrations; at = at->Flink) {
        registration_t *one = CONTAINING_RECORD(at, registration_t, link);
        if (operation_of(one, type) == NULL)
            continue;
        one->running++;
        opening->asked[opening->count++] = one;
    }
    ke_unlock(&callbacks_lock);
}

static ACCESS_MASK ask(ex_object_opening_t *opening, size_t i, ACCESS_MASK original, ACCESS_MASK access)
{
    const registration_t        *one = opening->asked[i];
    POBJECT_TYPE                 type = (POBJECT_TYPE)(uintptr_t)ex_object_type_of(opening->object);
    OB_PRE_OPERATION_PARAMETERS  parameters = { .CreateHandleInformation = { access, original } };
    OB_PRE_OPERATION_INFORMATION information = { .Operation = OB_OPERATION_HANDLE_CREATE, .Object = opening->object, .ObjectType = type };
    const OB_OPERATION_REGISTRATION *operation = operation_of(one, type);
    information.KernelHandle = opening->kernel_handle;
    information.Parameters = &parameters;
    if (operation->PreOperation == NULL)
        return access;
    (void)operation->PreOperation(one->context, &information);
    opening->context[i] = information.CallContext;
    return access & parameters.CreateHandleInformation.DesiredAccess; /* rights can be taken, not given */
}

ACCESS_MASK ex_object_opening_begin(ex_object_opening_t *opening, void *object, ACCESS_MASK access, bool kernel_handle)
{
    ACCESS_MASK original = access;
    *opening = (ex_object_opening_t){ .object = object, .kernel_handle = kernel_handle };
    if (atomic_load(&registered) == 0)
        return access;
    gather(opening, ex_object_type_of(object));
    uint8_t depth = ke_thread_step_out();
    for (size_t i = 0; i < opening->count; i++)
        access = ask(opening, i, original, access);
    ke_thread_step_in(depth);
    return access;
}

static void tell(const ex_object_opening_t *opening, size_t i, ACCESS_MASK granted, NTSTATUS status)
{
    const registration_t         *one = opening->asked[i];
    POBJECT_TYPE                  type = (POBJECT_TYPE)(uintptr_t)ex_object_type_of(opening->object);
    OB_POST_OPERATION_PARAMETERS  parameters = { .CreateHandleInformation = { granted } };
    OB_POST_OPERATION_INFORMATION information = { .Operation = OB_OPERATION_HANDLE_CREATE, .Object = opening->object, .ObjectType = type };
    const OB_OPERATION_REGISTRATION *operation = operation_of(one, type);
    information.KernelHandle = opening->kernel_handle;
    information.CallContext = opening->context[i];
    information.ReturnStatus = status;
    information.Parameters = &parameters;
    if (operation->PostOperation != NULL)
        operation->PostOperation(one->context, &information);
}

void ex_object_opening_end(ex_object_opening_t *opening, ACCESS_MASK granted, NTSTATUS status)
{
    if (opening->count == 0)
        return;
    uint8_t depth = ke_thread_step_out();
    for (size_t i = opening->count; i-- > 0;)
        tell(opening, i, granted, status);
    ke_thread_step_in(depth);
    for (size_t i = 0; i < opening->count; i++)
        let_go(opening->asked[i]);
}
