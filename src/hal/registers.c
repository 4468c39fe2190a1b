/*
 * registers.c - what READ_REGISTER_ULONG and its like do where they cannot simply load or store.
 * The routines are inline in the driver. They come here for addresses between the bounds of the pages whose registers a test plays; whether
 * this is such a page its PTE says:
 *
 *     READ_REGISTER_ULONG (inline) --out of bounds----------------------> load                        nearly all
 *       `- ntmm_register_read      --the PTE has no MM_PTE_DEVICE-------> load
 *           `- mm_io_target_at     --memory of another window there-----> load, from the device's side
 *                                  --a window's callbacks---------------> call, at the driver's IRQL, no lock held
 *                                  --nothing there----------------------> ones; a write is lost
 *
 * Locks   none held.
 * Source  WDK reference: READ_REGISTER_ULONG and its like, Bug Check 0xBE.
 */
#include <ntddk.h>

#include "hal/hal.h"
#include "ke/bugcheck.h"
#include "mm/io_space.h"
#include "mm/pte.h"

static void find_target(uintptr_t va, uint64_t pte, mm_io_target_t *target)
{
    mm_io_target_at((pte & MM_PTE_ADDRESS) | (va & (PAGE_SIZE - 1)), target);
}

ULONG64 ntmm_register_read(const volatile void *Register, unsigned bytes)
{
    uint64_t       pte;
    mm_io_target_t target;
    if (!mm_io_is_played((uintptr_t)Register, &pte))
        return hal_load(Register, bytes);
    if (ke_thread_ready("READ_REGISTER") == NULL)
        return hal_ones(bytes);
    find_target((uintptr_t)Register, pte, &target);
    if (target.memory != NULL)
        return hal_load(target.memory, bytes);
    return hal_read(&target.ops, target.context, target.offset, bytes);
}

void ntmm_register_write(volatile void *Register, unsigned bytes, ULONG64 value)
{
    uint64_t       pte;
    mm_io_target_t target;
    if (!mm_io_is_played((uintptr_t)Register, &pte)) {
        hal_store(Register, bytes, value);
        return;
    }
    if (ke_thread_ready("WRITE_REGISTER") == NULL)
        return;
    if ((pte & MM_PTE_WRITE) == 0)
        ke_bugcheck("WRITE_REGISTER", "A register was written that is mapped read-only.", ATTEMPTED_WRITE_TO_READONLY_MEMORY,
                    (ULONG_PTR)Register, pte, 0, 0);
    find_target((uintptr_t)Register, pte, &target);
    if (target.memory != NULL)
        hal_store(target.memory, bytes, value);
    else
        hal_write(&target.ops, target.context, target.offset, bytes, value);
}
