/*
 * io_ksr.h - memory that survives a kernel soft reboot (KSR): a driver leaves bytes to itself for the time after the restart.
 * The machine's soft reboot is ntmm_shutdown followed by ntmm_boot in one process.
 *
 * Source  WDK reference: the nine pages give prototypes and say "reserved for system use"; everything beyond the prototypes is a choice.
 */
#ifndef NTMM_DDK_WDM_IO_KSR_H
#define NTMM_DDK_WDM_IO_KSR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef NTSTATUS IO_PERSISTED_MEMORY_ENUMERATION_CALLBACK(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject,
                                                          PUNICODE_STRING PhysicalDeviceId, PUSHORT DataTag, PULONG DataVersion,
                                                          PVOID Context);
typedef IO_PERSISTED_MEMORY_ENUMERATION_CALLBACK *PIO_PERSISTED_MEMORY_ENUMERATION_CALLBACK;

/**
 * Reserve room for bytes that the next boot of this machine will find.
 *
 * @param DriverObject          whose bytes they are: known by DriverName, or by its address when it has no name
 * @param PhysicalDeviceObject  of which device; NULL: of the driver as a whole. Known by its address
 * @param PhysicalDeviceId      names the device instead, by text; may be NULL
 * @param DataTag               one 16-bit value that tells a device's blobs apart; NULL: 0
 * @param DataVersion           handed back with the bytes
 * @param Size                  bytes, not 0
 * @param Flags                 0
 * @param DataHandle            receives the handle; it is good until the machine shuts down
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_COLLISION (reserved already in this boot),
 *         STATUS_INSUFFICIENT_RESOURCES (more than the machine keeps, or no memory)
 * @irql   PASSIVE_LEVEL
 * @source none (choice)
 */
NTKERNELAPI NTSTATUS IoReserveKsrPersistentMemoryEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject,
                                                    PUNICODE_STRING PhysicalDeviceId, PUSHORT DataTag, ULONG DataVersion, SIZE_T Size,
                                                    ULONG Flags, PVOID *DataHandle);
/** The same without id and tag, version 0. */
NTKERNELAPI NTSTATUS IoReserveKsrPersistentMemory(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, SIZE_T Size,
                                                  ULONG Flags, PVOID *DataHandle);
/**
 * Fill what was reserved. Only bytes that were written survive; a second write replaces the first.
 * @return STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_BUFFER_OVERFLOW (Size exceeds what was reserved)
 */
NTKERNELAPI NTSTATUS IoWriteKsrPersistentMemory(PVOID DataHandle, PVOID Buffer, SIZE_T Size);
/** Give the room, and what was written to it, back. @return STATUS_SUCCESS, STATUS_INVALID_HANDLE */
NTKERNELAPI NTSTATUS IoFreeKsrPersistentMemory(PVOID DataHandle);

/**
 * Take the bytes that the boot before left; they are gone afterwards.
 * @param DataVersion  NULL, or receives the version
 * @param Size         in: room in Buffer; out: bytes that there are
 * @return STATUS_SUCCESS, STATUS_NOT_FOUND, STATUS_BUFFER_TOO_SMALL (nothing is taken), STATUS_INVALID_PARAMETER
 */
NTKERNELAPI NTSTATUS IoAcquireKsrPersistentMemoryEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject,
                                                    PUNICODE_STRING PhysicalDeviceId, PUSHORT DataTag, PULONG DataVersion, PVOID Buffer,
                                                    PSIZE_T Size);
NTKERNELAPI NTSTATUS IoAcquireKsrPersistentMemory(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, PVOID Buffer,
                                                  PSIZE_T Size);

/** How many bytes the boot before left. @return STATUS_SUCCESS, STATUS_NOT_FOUND, STATUS_INVALID_PARAMETER */
NTKERNELAPI NTSTATUS IoQueryKsrPersistentMemorySizeEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject,
                                                      PUNICODE_STRING PhysicalDeviceId, PUSHORT DataTag, PULONG DataVersion,
                                                      PSIZE_T BufferSize);
NTKERNELAPI NTSTATUS IoQueryKsrPersistentMemorySize(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject, PSIZE_T BufferSize);

/**
 * Call back for every blob that the boot before left to this driver and device, in the order in which they were reserved.
 * The callback may acquire the blob. A status that is an error ends the enumeration and is returned.
 * @return STATUS_SUCCESS, STATUS_NOT_FOUND (there was none), STATUS_INVALID_PARAMETER, or the callback's error
 */
NTKERNELAPI NTSTATUS IoEnumerateKsrPersistentMemoryEx(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject,
                                                      PUNICODE_STRING PhysicalDeviceId, PIO_PERSISTED_MEMORY_ENUMERATION_CALLBACK Callback,
                                                      PVOID CallbackContext);

#ifdef __cplusplus
}
#endif
#endif
