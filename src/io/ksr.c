/*
 * ksr.c - memory that survives a kernel soft reboot: named blobs that one boot leaves to the next.
 *
 *     this boot     Reserve --> reserved --Write--> written --Free--> gone
 *                                  |                   |
 *     shutdown, boot             gone                  v
 *     the next one                                  left over --Acquire--> gone
 *     shutdown, boot                                 gone
 *
 * A blob is named by driver, device and tag. What was never written, or was left over and not acquired, does not live on. The bytes are
 * not in the machine's RAM, which a boot clears, but beside it, up to a limit.
 *
 * Locks     KE_RANK_IO_KSR around the list. The driver's buffers are copied without it: they may be large, and pageable.
 * Source    WDK reference: prototypes only ("reserved for system use").
 * Fidelity  names, lifetimes, statuses and the limit are choices.
 */
#include <stdlib.h>
#include <string.h>

#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/lock.h"
#include "ke/thread.h"

#define KSR_BYTES_MAX (16u << 20) /* of all blobs reserved in one boot */

typedef struct ksr_name { /* what tells blobs apart; pointers are the caller's */
    const void *driver, *device;
    size_t      driver_bytes, device_bytes;
    uint8_t     device_kind; /* 'N' none, 'P' by address, 'I' by id */
    uint16_t    tag;
    uintptr_t   address[2]; /* what driver and device point at when they are known by address */
} ksr_name_t;

typedef struct ksr_blob {
    struct ksr_blob *next;       /* in the order of reservation */
    uint64_t         serial;     /* ascending */
    uint32_t         generation; /* of the boot that reserved it */
    uint32_t         version;
    bool             written;
    size_t           room, bytes;
    unsigned char   *data; /* [room] */
    ksr_name_t       name; /* its pointers are into text */
    unsigned char    text[] __attribute__((aligned(2)));
} ksr_blob_t;

static ke_lock_t        ksr_lock;
static _Atomic uint64_t ksr_lock_state; /* twice the generation that the lock was made for; 1 less while it is being made */
static ksr_blob_t      *ksr_first;
static uint64_t         ksr_serial;

/* ---- the driver's memory ---- */

/* A wild pointer stops the machine where it is followed: better here, with nothing locked or allocated. */
static void touch_readable(const void *address, size_t bytes)
{
    const volatile unsigned char *at = address;
    for (size_t i = 0; i < bytes; i += PAGE_SIZE)
        (void)at[i];
    if (bytes != 0)
        (void)at[bytes - 1];
}

static void touch_writable(void *address, size_t bytes)
{
    volatile unsigned char *at = address;
    for (size_t i = 0; i < bytes; i += PAGE_SIZE)
        at[i] = at[i];
    if (bytes != 0)
        at[bytes - 1] = at[bytes - 1];
}

/* ---- names ---- */

static bool name_init(ksr_name_t *name, PDRIVER_OBJECT driver, PDEVICE_OBJECT device, PUNICODE_STRING id, const USHORT *tag)
{
    if (driver == NULL || (id != NULL && (id->Length == 0 || id->Buffer == NULL)))
        return false;
    memset(name, 0, sizeof *name);
    name->address[0] = (uintptr_t)driver;
    name->address[1] = (uintptr_t)device;
    name->driver = &name->address[0];
    name->driver_bytes = sizeof name->address[0];
    name->device = &name->address[1];
    name->device_bytes = device != NULL ? sizeof name->address[1] : 0;
    name->device_kind = device != NULL ? 'P' : 'N';
    name->tag = tag != NULL ? *tag : 0;
    if (driver->DriverName.Length != 0) {
        name->driver = driver->DriverName.Buffer;
        name->driver_bytes = driver->DriverName.Length;
    }
    if (id != NULL) {
        name->device = id->Buffer;
        name->device_bytes = id->Length;
        name->device_kind = 'I';
    }
    touch_readable(name->driver, name->driver_bytes);
    touch_readable(name->device, name->device_bytes);
    return true;
}

static bool name_same_owner(const ksr_name_t *a, const ksr_name_t *b)
{
    return a->device_kind == b->device_kind && a->driver_bytes == b->driver_bytes && a->device_bytes == b->device_bytes &&
           memcmp(a->driver, b->driver, a->driver_bytes) == 0 && memcmp(a->device, b->device, a->device_bytes) == 0;
}

/* ---- the list ---- */

static void blob_free(ksr_blob_t *blob)
{
    free(blob->data);
    free(blob);
}

static ksr_blob_t *blob_make(const ksr_name_t *name, size_t room, uint32_t version)
{
    ksr_blob_t *blob = malloc(sizeof *blob + name->driver_bytes + name->device_bytes);
    void       *data = malloc(room);

    if (blob == NULL || data == NULL) {
        free(blob);
        free(data);
        return NULL;
    }
    *blob = (ksr_blob_t){ .generation = ke_machine_generation, .version = version, .room = room, .data = data, .name = *name };
    memcpy(blob->text, name->device, name->device_bytes); /* the device first: its text is handed out as 16-bit characters */
    memcpy(blob->text + name->device_bytes, name->driver, name->driver_bytes);
    blob->name.device = blob->text;
    blob->name.driver = blob->text + name->device_bytes;
    return blob;
}

/* What this boot does not see any more goes. */
static void list_purge_locked(void)
{
    for (ksr_blob_t **at = &ksr_first; *at != NULL;) {
        ksr_blob_t *blob = *at;
        uint32_t    age = ke_machine_generation - blob->generation;
        if (age == 0 || (age == 1 && blob->written)) {
            at = &blob->next;
            continue;
        }
        *at = blob->next;
        blob_free(blob);
    }
}

static ksr_blob_t **left_over_find_locked(const ksr_name_t *name)
{
    ksr_blob_t **at = &ksr_first;
    while (*at != NULL &&
           ((*at)->generation == ke_machine_generation || (*at)->name.tag != name->tag || !name_same_owner(&(*at)->name, name)))
        at = &(*at)->next;
    return at;
}

static ksr_blob_t **handle_find_locked(const void *handle)
{
    ksr_blob_t **at = &ksr_first;
    while (*at != NULL && (*at != handle || (*at)->generation != ke_machine_generation))
        at = &(*at)->next;
    return at;
}

static NTSTATUS blob_insert_locked(ksr_blob_t *blob)
{
    size_t       total = blob->room;
    ksr_blob_t **at = &ksr_first;

    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->generation != ke_machine_generation)
            continue;
        if ((*at)->name.tag == blob->name.tag && name_same_owner(&(*at)->name, &blob->name))
            return STATUS_OBJECT_NAME_COLLISION;
        total += (*at)->room;
    }
    if (total > KSR_BYTES_MAX)
        return STATUS_INSUFFICIENT_RESOURCES;
    blob->serial = ++ksr_serial;
    *at = blob;
    return STATUS_SUCCESS;
}

/* A bug check may have stopped the holder (a driver's name can be a wild pointer), and the list outlives the machine: a lock for each. */
static void lock_make_ready(void)
{
    uint64_t wanted = 2 * (uint64_t)ke_machine_generation, state = atomic_load(&ksr_lock_state);

    while (state != wanted) {
        if (state != wanted - 1 && atomic_compare_exchange_strong(&ksr_lock_state, &state, wanted - 1)) {
            ke_lock_init(&ksr_lock, KE_RANK_IO_KSR);
            atomic_store(&ksr_lock_state, wanted);
        }
        state = atomic_load(&ksr_lock_state);
    }
}

/* Every routine: at PASSIVE_LEVEL, on a machine that is up, with the list purged and locked. */
static bool ksr_enter(ke_thread_t **self, const char *routine)
{
    *self = ke_thread_enter(routine);
    if (*self == NULL)
        return false;
    lock_make_ready();
    ke_lock(&ksr_lock);
    list_purge_locked();
    return true;
}

static void ksr_leave(ke_thread_t *self)
{
    ke_unlock(&ksr_lock);
    ke_thread_leave(self);
}

/* ---- this boot's side ---- */

static NTSTATUS ksr_reserve(const char *routine, const ksr_name_t *name, uint32_t version, size_t size, PVOID *handle)
{
    ke_thread_t *self;
    ksr_blob_t  *blob = NULL;
    NTSTATUS     status = STATUS_INSUFFICIENT_RESOURCES;

    if (!ksr_enter(&self, routine))
        return STATUS_DEVICE_NOT_READY;
    if (!ke_inject_failure() && size <= KSR_BYTES_MAX)
        blob = blob_make(name, size, version);
    if (blob != NULL)
        status = blob_insert_locked(blob);
    if (!NT_SUCCESS(status) && blob != NULL) {
        blob_free(blob);
        blob = NULL;
    }
    ksr_leave(self);
    *handle = blob;
    return status;
}

NTSTATUS IoReserveKsrPersistentMemoryEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, PUNICODE_STRING PhysicalDeviceId,
                                        PUSHORT DataTag, ULONG DataVersion, SIZE_T Size, ULONG Flags, PVOID *DataHandle)
{
    ksr_name_t name;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (DataHandle == NULL || Size == 0 || Flags != 0 || !name_init(&name, DriverObject, PhysicalDeviceObject, PhysicalDeviceId, DataTag))
        return STATUS_INVALID_PARAMETER;
    return ksr_reserve(__func__, &name, DataVersion, Size, DataHandle);
}

NTSTATUS IoReserveKsrPersistentMemory(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, SIZE_T Size, ULONG Flags,
                                      PVOID *DataHandle)
{
    ksr_name_t name;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (DataHandle == NULL || Size == 0 || Flags != 0 || !name_init(&name, DriverObject, PhysicalDeviceObject, NULL, NULL))
        return STATUS_INVALID_PARAMETER;
    return ksr_reserve(__func__, &name, 0, Size, DataHandle);
}

/* The bytes are copied before the list is locked: the copy may fault. */
NTSTATUS IoWriteKsrPersistentMemory(PVOID DataHandle, PVOID Buffer, SIZE_T Size)
{
    ke_thread_t *self;
    ksr_blob_t  *blob;
    void        *copy;
    NTSTATUS     status = STATUS_SUCCESS;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (Buffer == NULL || Size == 0)
        return STATUS_INVALID_PARAMETER;
    if (Size > KSR_BYTES_MAX)
        return STATUS_BUFFER_OVERFLOW;
    touch_readable(Buffer, Size);
    copy = !ke_inject_failure() ? malloc(Size) : NULL;
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(copy, Buffer, Size);
    if (!ksr_enter(&self, __func__)) {
        free(copy);
        return STATUS_DEVICE_NOT_READY;
    }
    blob = *handle_find_locked(DataHandle);
    if (blob == NULL)
        status = STATUS_INVALID_HANDLE;
    else if (Size > blob->room)
        status = STATUS_BUFFER_OVERFLOW;
    else {
        memcpy(blob->data, copy, Size);
        blob->bytes = Size;
        blob->written = true;
    }
    ksr_leave(self);
    free(copy);
    return status;
}

NTSTATUS IoFreeKsrPersistentMemory(PVOID DataHandle)
{
    ke_thread_t *self;
    ksr_blob_t **at, *blob;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (!ksr_enter(&self, __func__))
        return STATUS_DEVICE_NOT_READY;
    at = handle_find_locked(DataHandle);
    blob = *at;
    if (blob != NULL)
        *at = blob->next;
    ksr_leave(self);
    if (blob == NULL)
        return STATUS_INVALID_HANDLE;
    blob_free(blob);
    return STATUS_SUCCESS;
}

/* ---- the next boot's side ---- */

/* Looks up what was left over; takes it off the list when it fits into `room` bytes. *found is set only then. */
static NTSTATUS ksr_take(const char *routine, const ksr_name_t *name, size_t room, bool query, PULONG version, PSIZE_T size,
                         ksr_blob_t **found)
{
    ke_thread_t *self;
    ksr_blob_t **at, *blob;
    ULONG        blob_version = 0;
    size_t       bytes = 0;

    *found = NULL;
    if (!ksr_enter(&self, routine))
        return STATUS_DEVICE_NOT_READY;
    at = left_over_find_locked(name);
    blob = *at;
    if (blob != NULL) {
        blob_version = blob->version;
        bytes = blob->bytes;
        if (!query && bytes <= room) {
            *at = blob->next;
            *found = blob;
        }
    }
    ksr_leave(self);
    if (blob == NULL)
        return STATUS_NOT_FOUND;
    *size = bytes;
    if (version != NULL)
        *version = blob_version;
    return query || bytes <= room ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}

static NTSTATUS ksr_acquire(const char *routine, const ksr_name_t *name, PULONG version, PVOID buffer, PSIZE_T size)
{
    ksr_blob_t *blob;
    NTSTATUS    status;
    size_t      room = buffer != NULL ? *size : 0;

    touch_writable(buffer, room);
    status = ksr_take(routine, name, room, false, version, size, &blob);
    if (blob == NULL)
        return status;
    memcpy(buffer, blob->data, blob->bytes);
    blob_free(blob);
    return status;
}

NTSTATUS IoAcquireKsrPersistentMemoryEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, PUNICODE_STRING PhysicalDeviceId,
                                        PUSHORT DataTag, PULONG DataVersion, PVOID Buffer, PSIZE_T Size)
{
    ksr_name_t name;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (Size == NULL || !name_init(&name, DriverObject, PhysicalDeviceObject, PhysicalDeviceId, DataTag))
        return STATUS_INVALID_PARAMETER;
    return ksr_acquire(__func__, &name, DataVersion, Buffer, Size);
}

NTSTATUS IoAcquireKsrPersistentMemory(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, PVOID Buffer, PSIZE_T Size)
{
    ksr_name_t name;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (Size == NULL || !name_init(&name, DriverObject, PhysicalDeviceObject, NULL, NULL))
        return STATUS_INVALID_PARAMETER;
    return ksr_acquire(__func__, &name, NULL, Buffer, Size);
}

NTSTATUS IoQueryKsrPersistentMemorySizeEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject,
                                          PUNICODE_STRING PhysicalDeviceId, PUSHORT DataTag, PULONG DataVersion, PSIZE_T BufferSize)
{
    ksr_name_t  name;
    ksr_blob_t *none;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (BufferSize == NULL || !name_init(&name, DriverObject, PhysicalDeviceObject, PhysicalDeviceId, DataTag))
        return STATUS_INVALID_PARAMETER;
    return ksr_take(__func__, &name, 0, true, DataVersion, BufferSize, &none);
}

NTSTATUS IoQueryKsrPersistentMemorySize(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, PSIZE_T BufferSize)
{
    ksr_name_t  name;
    ksr_blob_t *none;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (BufferSize == NULL || !name_init(&name, DriverObject, PhysicalDeviceObject, NULL, NULL))
        return STATUS_INVALID_PARAMETER;
    return ksr_take(__func__, &name, 0, true, NULL, BufferSize, &none);
}

/* The first blob after `serial` that was left to the owner. The callback may acquire it, so that only its label leaves the lock. */
static bool enumerate_next(ke_thread_t *self, const ksr_name_t *owner, uint64_t *serial, USHORT *tag, ULONG *version)
{
    ksr_blob_t *blob;

    ke_lock(&ksr_lock);
    for (blob = ksr_first; blob != NULL; blob = blob->next)
        if (blob->serial > *serial && blob->generation != ke_machine_generation && name_same_owner(&blob->name, owner))
            break;
    if (blob != NULL) {
        *serial = blob->serial;
        *tag = blob->name.tag;
        *version = blob->version;
    }
    ksr_leave(self);
    return blob != NULL;
}

NTSTATUS IoEnumerateKsrPersistentMemoryEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject,
                                          PUNICODE_STRING PhysicalDeviceId, PIO_PERSISTED_MEMORY_ENUMERATION_CALLBACK Callback,
                                          PVOID CallbackContext)
{
    ksr_name_t   owner;
    ke_thread_t *self;
    uint64_t     serial = 0;
    USHORT       tag = 0;
    ULONG        version = 0;
    NTSTATUS     status = STATUS_NOT_FOUND;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (Callback == NULL || !name_init(&owner, DriverObject, PhysicalDeviceObject, PhysicalDeviceId, NULL))
        return STATUS_INVALID_PARAMETER;
    if (!ksr_enter(&self, __func__))
        return STATUS_DEVICE_NOT_READY;
    ksr_leave(self); /* purged */
    while ((self = ke_thread_enter(__func__)) != NULL && enumerate_next(self, &owner, &serial, &tag, &version)) {
        status = Callback(DriverObject, PhysicalDeviceObject, PhysicalDeviceId, &tag, &version, CallbackContext);
        if (NT_ERROR(status))
            return status;
        status = STATUS_SUCCESS;
    }
    return status;
}
