/*
 * kmdf_driver.h - a small, complete KMDF driver, as a driver author would write one: what it shares with programs, and with its hardware.
 *
 *     write       the bytes are kept, in memory from a lookaside list; the last write counts
 *     IOCTL_LAST  gives them back
 *     read        the device fills the buffer by DMA
 *     IOCTL_COUNT what has happened so far
 */
#ifndef NTMM_TESTS_SUPPORT_KMDF_DRIVER_H
#define NTMM_TESTS_SUPPORT_KMDF_DRIVER_H

#include <ntddk.h>
#include <wdf.h>

#define IOCTL_LAST CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_READ_ACCESS)
#define IOCTL_COUNT CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_READ_ACCESS)
#define WRITE_MOST 512 /* bytes of one write */

typedef struct _COUNTS {
    ULONG Writes, Reads, Transfers, Interrupts;
} COUNTS, *PCOUNTS;

/* ---- the hardware ---- */

#define REG_RING_LOW 0x00 /* where the ring is, for the device */
#define REG_RING_HIGH 0x04
#define REG_DOORBELL 0x08 /* written: so many descriptors are ready */
#define REG_STATUS 0x0C   /* read: STATUS_*; reading clears it */
#define REG_MOVED 0x10    /* bytes of the last transfer */
#define REGISTER_BYTES 0x20

#define DEVICE_DONE 1u
#define DEVICE_ERROR 2u

#define RING_ENTRIES 8
typedef struct _RING_ENTRY {
    ULONG64 Address; /* logical */
    ULONG   Length;  /* bytes */
    ULONG   Reserved;
} RING_ENTRY, *PRING_ENTRY;

/* ---- the driver ---- */

typedef struct _DEVICE_CONTEXT {
    WDFDEVICE         Device;
    WDFLOOKASIDE      Lookaside;
    WDFSPINLOCK       Lock; /* guards Last and Counts */
    WDFMEMORY         Last;
    size_t            LastBytes;
    COUNTS            Counts;
    WDFINTERRUPT      Interrupt;
    WDFDMAENABLER     Enabler;
    WDFDMATRANSACTION Transaction;
    WDFCOMMONBUFFER   Ring;
    PUCHAR            Registers;
    ULONG             Pending; /* DEVICE_*, from the ISR to its DPC; guarded by the interrupt's lock */
} DEVICE_CONTEXT, *PDEVICE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(DEVICE_CONTEXT, DeviceGetContext)

#ifdef __cplusplus
extern "C"
#endif
    DRIVER_INITIALIZE DriverEntry;

#endif
