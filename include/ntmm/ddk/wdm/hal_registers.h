/*
 * hal_registers.h - one access to a register or a port, of one width.
 *
 *     READ_REGISTER_UCHAR  READ_REGISTER_BUFFER_UCHAR  READ_REGISTER_NOFENCE_UCHAR  READ_REGISTER_NOFENCE_BUFFER_UCHAR     memory
 *     WRITE_REGISTER_...   and the same with USHORT, ULONG, ULONG64
 *     READ_PORT_UCHAR      READ_PORT_BUFFER_UCHAR                                                                       I/O space
 *     WRITE_PORT_...       and the same with USHORT, ULONG
 *
 * Registers are inline, as on x64: an address with nothing behind it faults in the driver's own code. Each is one access of its width, made
 * exactly once, and a full barrier stands in front of a read and behind a write; the NOFENCE forms leave it out. A buffer of registers goes
 * from address to address, a buffer of a port to the same port again and again.
 *
 * Where a test plays the registers (ntmm_io_space_add_device) the access becomes a call of its callbacks.
 *
 * IRQL    any, if the buffer is resident
 * Source  WDK reference: wdm.h, the pages of these routines. That buffers of registers ascend is in the public header alone.
 */
#ifndef NTMM_DDK_WDM_HAL_REGISTERS_H
#define NTMM_DDK_WDM_HAL_REGISTERS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Mapped pages whose registers a test plays lie in [low, high); whatever else lies there is told apart by the callee. */
typedef struct ntmm_played_pages {
    ULONG_PTR low, high;
} ntmm_played_pages_t;
NTMM_PUBLIC extern ntmm_played_pages_t ntmm_played_pages;
NTMM_PUBLIC ULONG64                    ntmm_register_read(const volatile void *Register, unsigned bytes);
NTMM_PUBLIC void                       ntmm_register_write(volatile void *Register, unsigned bytes, ULONG64 value);

FORCEINLINE int ntmm_may_be_played(const volatile void *Register)
{
    ULONG_PTR va = (ULONG_PTR)Register;
    return __builtin_expect(va >= __atomic_load_n(&ntmm_played_pages.low, __ATOMIC_RELAXED), 0) &&
           va < __atomic_load_n(&ntmm_played_pages.high, __ATOMIC_RELAXED);
}

#define NTMM_REGISTER_ROUTINES(Type) \
    FORCEINLINE Type READ_REGISTER_NOFENCE_##Type(volatile Type *Register) \
    { \
        return ntmm_may_be_played(Register) ? (Type)ntmm_register_read(Register, sizeof(Type)) \
                                            : __atomic_load_n(Register, __ATOMIC_ACQUIRE); \
    } \
    FORCEINLINE VOID WRITE_REGISTER_NOFENCE_##Type(volatile Type *Register, Type Value) \
    { \
        if (ntmm_may_be_played(Register)) \
            ntmm_register_write(Register, sizeof(Type), Value); \
        else \
            __atomic_store_n(Register, Value, __ATOMIC_RELEASE); \
    } \
    FORCEINLINE Type READ_REGISTER_##Type(volatile Type *Register) \
    { \
        KeMemoryBarrier(); \
        return READ_REGISTER_NOFENCE_##Type(Register); \
    } \
    FORCEINLINE VOID WRITE_REGISTER_##Type(volatile Type *Register, Type Value) \
    { \
        WRITE_REGISTER_NOFENCE_##Type(Register, Value); \
        KeMemoryBarrier(); \
    } \
    FORCEINLINE VOID READ_REGISTER_NOFENCE_BUFFER_##Type(volatile Type *Register, Type *Buffer, ULONG Count) \
    { \
        for (ULONG i = 0; i < Count; i++) \
            Buffer[i] = READ_REGISTER_NOFENCE_##Type(Register + i); \
    } \
    FORCEINLINE VOID WRITE_REGISTER_NOFENCE_BUFFER_##Type(volatile Type *Register, Type *Buffer, ULONG Count) \
    { \
        for (ULONG i = 0; i < Count; i++) \
            WRITE_REGISTER_NOFENCE_##Type(Register + i, Buffer[i]); \
    } \
    FORCEINLINE VOID READ_REGISTER_BUFFER_##Type(volatile Type *Register, Type *Buffer, ULONG Count) \
    { \
        KeMemoryBarrier(); \
        READ_REGISTER_NOFENCE_BUFFER_##Type(Register, Buffer, Count); \
    } \
    FORCEINLINE VOID WRITE_REGISTER_BUFFER_##Type(volatile Type *Register, Type *Buffer, ULONG Count) \
    { \
        WRITE_REGISTER_NOFENCE_BUFFER_##Type(Register, Buffer, Count); \
        KeMemoryBarrier(); \
    }
NTMM_REGISTER_ROUTINES(UCHAR)
NTMM_REGISTER_ROUTINES(USHORT)
NTMM_REGISTER_ROUTINES(ULONG)
NTMM_REGISTER_ROUTINES(ULONG64)
#undef NTMM_REGISTER_ROUTINES

/**
 * Ports. Only the low 16 bits of the address count, as on x64; where ntmm_io_port_add has put nothing, a read gives ones and a write is lost.
 *
 * @param Port   the port's number, as a pointer
 * @param Count  values, not bytes; for a buffer
 * @irql    any
 * @source  WDK reference: wdm.h, READ_PORT_UCHAR and the pages of the others
 */
NTHALAPI UCHAR  READ_PORT_UCHAR(PUCHAR Port);
NTHALAPI USHORT READ_PORT_USHORT(PUSHORT Port);
NTHALAPI ULONG  READ_PORT_ULONG(PULONG Port);
NTHALAPI VOID   READ_PORT_BUFFER_UCHAR(PUCHAR Port, PUCHAR Buffer, ULONG Count);
NTHALAPI VOID   READ_PORT_BUFFER_USHORT(PUSHORT Port, PUSHORT Buffer, ULONG Count);
NTHALAPI VOID   READ_PORT_BUFFER_ULONG(PULONG Port, PULONG Buffer, ULONG Count);
NTHALAPI VOID   WRITE_PORT_UCHAR(PUCHAR Port, UCHAR Value);
NTHALAPI VOID   WRITE_PORT_USHORT(PUSHORT Port, USHORT Value);
NTHALAPI VOID   WRITE_PORT_ULONG(PULONG Port, ULONG Value);
NTHALAPI VOID   WRITE_PORT_BUFFER_UCHAR(PUCHAR Port, PUCHAR Buffer, ULONG Count);
NTHALAPI VOID   WRITE_PORT_BUFFER_USHORT(PUSHORT Port, PUSHORT Buffer, ULONG Count);
NTHALAPI VOID   WRITE_PORT_BUFFER_ULONG(PULONG Port, PULONG Buffer, ULONG Count);

#ifdef __cplusplus
}
#endif
#endif
