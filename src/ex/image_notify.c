/*
 * image_notify.c - who hears of images that are loaded: drivers', by ntmm_driver_load before DriverEntry runs, and those that the test says a
 * process has loaded, by ntmm_image_load.
 *
 * Locks       notify_table.c.
 * Source      WDK reference: ntddk.h, PsSetLoadImageNotifyRoutine, PsSetLoadImageNotifyRoutineEx, PsRemoveLoadImageNotifyRoutine, IMAGE_INFO.
 * Fidelity    a driver's name is \SystemRoot\System32\drivers\name.sys; its image is the one of the host's that DriverEntry lies in. There are no file
 *             objects of images, so no IMAGE_INFO_EX.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/notify_table.h"
#include "ex/process_notify.h"
#include "ke/bugcheck.h"

#define NAME_CHARACTERS 260

static ex_notify_table_t routines;

void ex_image_notify_boot(void) { ex_notify_boot(&routines); }

typedef struct news {
    UNICODE_STRING name;
    HANDLE         process;
    IMAGE_INFO     info;
} news_t;

static void tell_one(void *context, PVOID routine, uint32_t kind)
{
    news_t    *news = context;
    IMAGE_INFO info = news->info; /* each gets its own */
    (void)kind;
    ((PLOAD_IMAGE_NOTIFY_ROUTINE)(uintptr_t)routine)(&news->name, news->process, &info);
}

void ex_image_tell(const ke_process_t *process, const char *name, const void *base, size_t bytes)
{
    WCHAR  text[NAME_CHARACTERS];
    news_t news = { .name = { .Buffer = text, .MaximumLength = sizeof text },
                    .process = process != NULL ? (HANDLE)ke_process_id(process) : NULL,
                    .info = { .ImageBase = (PVOID)(uintptr_t)base, .ImageSize = bytes } };
    while (news.name.Length < sizeof text && *name != '\0') {
        text[news.name.Length / sizeof(WCHAR)] = (unsigned char)*name++;
        news.name.Length += sizeof(WCHAR);
    }
    news.info.ImageAddressingMode = IMAGE_ADDRESSING_MODE_32BIT; /* its only value */
    news.info.SystemModeImage = process == NULL;
    ex_notify_call(&routines, tell_one, &news);
}

int ntmm_image_load(ntmm_process *process, const char *name, const void *base, size_t bytes)
{
    ke_process_t *record = (ke_process_t *)(void *)process;
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    if (record != NULL && !ke_process_is_at((uintptr_t)record))
        return ke_error(-EINVAL, "%s: %p is no process", __func__, (void *)process);
    if (strlen(name) > NAME_CHARACTERS)
        return ke_error(-ENAMETOOLONG, "%s: an image's name has at most %d characters", __func__, NAME_CHARACTERS);
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ex_image_tell(record, name, base, bytes);
    return 0;
}

/* ---- registering ---- */

static NTSTATUS add(const char *name, PLOAD_IMAGE_NOTIFY_ROUTINE routine)
{
    if (ke_thread_ready(name) == NULL)
        return STATUS_UNSUCCESSFUL;
    return ex_notify_add(&routines, (PVOID)(uintptr_t)routine, 0) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS PsSetLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return add(__func__, NotifyRoutine);
}

NTSTATUS PsSetLoadImageNotifyRoutineEx(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine, ULONG_PTR Flags)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if ((Flags & ~(ULONG_PTR)PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE) != 0)
        return STATUS_INVALID_PARAMETER_2;
    return add(__func__, NotifyRoutine);
}

NTSTATUS PsRemoveLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return ex_notify_remove(&routines, (PVOID)(uintptr_t)NotifyRoutine, 1) ? STATUS_SUCCESS : STATUS_PROCEDURE_NOT_FOUND;
}
