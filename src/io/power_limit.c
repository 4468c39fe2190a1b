/*
 * power_limit.c - power limits: a policy asks that a device takes no more than so much, for each type of limit of each of its domains.
 *
 *     the test: this device has these limits       ntmm_power_limits_set
 *     requests of policies, any number             each asks for some of them
 *     what holds                                   the lowest that is asked for, else the default on AC
 *
 * Locks       limits_lock (leaf) for devices, requests and what they ask for. Drivers' buffers may be pageable: they are read before and written after.
 * Source      WDK reference: wdm.h, PoCreatePowerLimitRequest, PoQueryPowerLimitAttributes, PoSetPowerLimitValue; ntpoapi.h, POWER_LIMIT_ATTRIBUTES.
 * Fidelity    the pages say little: how requests combine, and which status means what, are choices. Nobody makes the device take less.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "io/power.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_LIMIT NTMM_TAG("PoPL")
#define LIMITS_MAX 64u
#define NOT_ASKED_FOR MAXULONG

typedef struct limited {
    struct limited         *next;
    PDEVICE_OBJECT          device;
    ULONG                   count;
    POWER_LIMIT_ATTRIBUTES *rows; /* of the host's memory; stay until the boot is over */
} limited_t;

typedef struct request {
    LIST_ENTRY       link;
    const limited_t *target;
    struct {
        ULONG value, time;
    } asked[]; /* [target->count]; value NOT_ASKED_FOR: nothing */
} request_t;

static ke_lock_t  limits_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static limited_t *limited; /* newest first */
static LIST_ENTRY requests;

void io_power_limits_boot(void)
{
    ke_lock_init(&limits_lock, KE_RANK_LEAF);
    InitializeListHead(&requests);
    while (limited != NULL) {
        limited_t *first = limited;
        limited = first->next;
        free(first->rows);
        free(first);
    }
}

/* ---- the test's side ---- */

int ntmm_power_limits_set(PDEVICE_OBJECT device, const POWER_LIMIT_ATTRIBUTES *rows, uint32_t count)
{
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    if (count == 0 || count > LIMITS_MAX)
        return ke_error(-EINVAL, "%s: a device has 1 to %u limits, and not %u", __func__, LIMITS_MAX, count);
    limited_t *fresh = calloc(1, sizeof *fresh);
    if (fresh != NULL)
        fresh->rows = malloc(count * sizeof *rows);
    if (fresh == NULL || fresh->rows == NULL) {
        free(fresh);
        return ke_error(-ENOMEM, "%s: the host has no memory", __func__);
    }
    memcpy(fresh->rows, rows, count * sizeof *rows);
    fresh->device = device;
    fresh->count = count;
    ke_lock(&limits_lock);
    fresh->next = limited;
    limited = fresh;
    ke_unlock(&limits_lock);
    return 0;
}

/* ---- which row, and what holds there ---- */

static ULONG row_of(const limited_t *target, const POWER_LIMIT_VALUE *wanted)
{
    ULONG row = 0;
    while (row < target->count && (target->rows[row].Type != wanted->Type || target->rows[row].DomainId != wanted->DomainId))
        row++;
    return row;
}

static void read_locked(const limited_t *target, ULONG row, POWER_LIMIT_VALUE *value)
{
    value->TargetValue = NOT_ASKED_FOR;
    value->TimeParameter = 0;
    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        const request_t *one = CONTAINING_RECORD(at, request_t, link);
        if (one->target == target && one->asked[row].value < value->TargetValue) {
            value->TargetValue = one->asked[row].value;
            value->TimeParameter = one->asked[row].time;
        }
    }
    if (value->TargetValue == NOT_ASKED_FOR)
        value->TargetValue = target->rows[row].DefaultACValue;
}

static bool is_allowed(const POWER_LIMIT_ATTRIBUTES *row, const POWER_LIMIT_VALUE *value)
{
    if (value->TargetValue < row->MinValue || value->TargetValue > row->MaxValue)
        return false;
    if (!row->Flags.SupportTimeParameter)
        return value->TimeParameter == 0;
    return value->TimeParameter >= row->MinTimeParameter && value->TimeParameter <= row->MaxTimeParameter;
}

/* ---- the policy's side ---- */

static const limited_t *find(PDEVICE_OBJECT device)
{
    ke_lock(&limits_lock);
    const limited_t *one = limited;
    while (one != NULL && one->device != device)
        one = one->next;
    ke_unlock(&limits_lock);
    return one;
}

NTSTATUS PoCreatePowerLimitRequest(PVOID *PowerLimitRequest, PDEVICE_OBJECT TargetDeviceObject, PDEVICE_OBJECT PolicyDeviceObject,
                                   PCOUNTED_REASON_CONTEXT Context)
{
    (void)PolicyDeviceObject;
    (void)Context;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *PowerLimitRequest = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (TargetDeviceObject == NULL)
        return STATUS_INVALID_PARAMETER;
    const limited_t *target = find(TargetDeviceObject);
    if (target == NULL)
        return STATUS_NOT_SUPPORTED;
    request_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh + target->count * sizeof fresh->asked[0], TAG_LIMIT);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->target = target;
    for (ULONG i = 0; i < target->count; i++)
        fresh->asked[i].value = NOT_ASKED_FOR;
    ke_lock(&limits_lock);
    InsertTailList(&requests, &fresh->link);
    ke_unlock(&limits_lock);
    *PowerLimitRequest = fresh;
    return STATUS_SUCCESS;
}

VOID PoDeletePowerLimitRequest(PVOID PowerLimitRequest)
{
    request_t *request = PowerLimitRequest;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    ke_lock(&limits_lock);
    RemoveEntryList(&request->link);
    ke_unlock(&limits_lock);
    ExFreePoolWithTag(request, TAG_LIMIT);
}

NTSTATUS PoQueryPowerLimitAttributes(PVOID PowerLimitRequest, ULONG BufferCount, PPOWER_LIMIT_ATTRIBUTES Buffer, PULONG AttributeCount)
{
    const request_t *request = PowerLimitRequest;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *AttributeCount = request->target->count;
    if (BufferCount == 0 && Buffer == NULL)
        return STATUS_SUCCESS;
    if (BufferCount < request->target->count)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(Buffer, request->target->rows, request->target->count * sizeof *Buffer);
    return STATUS_SUCCESS;
}

NTSTATUS PoQueryPowerLimitValue(PVOID PowerLimitRequest, ULONG ValueCount, PPOWER_LIMIT_VALUE Values)
{
    const request_t *request = PowerLimitRequest;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    for (ULONG i = 0; i < ValueCount; i++) {
        POWER_LIMIT_VALUE value = Values[i];
        ULONG             row = row_of(request->target, &value);
        if (row == request->target->count)
            return STATUS_NOT_FOUND;
        ke_lock(&limits_lock);
        read_locked(request->target, row, &value);
        ke_unlock(&limits_lock);
        Values[i] = value;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS check(const limited_t *target, ULONG count, const POWER_LIMIT_VALUE *values)
{
    for (ULONG i = 0; i < count; i++) {
        ULONG row = row_of(target, &values[i]);
        if (row == target->count)
            return STATUS_NOT_FOUND;
        if (!is_allowed(&target->rows[row], &values[i]))
            return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

NTSTATUS PoSetPowerLimitValue(PVOID PowerLimitRequest, PCOUNTED_REASON_CONTEXT Reason, ULONG ValueCount, PPOWER_LIMIT_VALUE Values)
{
    request_t *request = PowerLimitRequest;
    (void)Reason;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    NTSTATUS status = check(request->target, ValueCount, Values);
    for (ULONG i = 0; i < ValueCount && NT_SUCCESS(status); i++) {
        const POWER_LIMIT_VALUE value = Values[i];
        ULONG                   row = row_of(request->target, &value);
        ke_lock(&limits_lock);
        request->asked[row].value = value.TargetValue;
        request->asked[row].time = value.TimeParameter;
        ke_unlock(&limits_lock);
    }
    return status;
}
