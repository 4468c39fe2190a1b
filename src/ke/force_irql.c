/* force_irql.c - forced IRQL checking, switched on or off for one boot: force_irql.h says how it works. Locks: none, boots run alone. */
#include "ke/force_irql.h"

void (*ke_force_hook)(void);
_Atomic uint32_t ke_threads_raised;
_Atomic uint64_t ke_force_raises;

void ke_force_irql(void (*hook)(void))
{
    ke_force_hook = hook;
    atomic_store(&ke_threads_raised, 0);
    atomic_store(&ke_force_raises, 0);
    for (uint32_t i = 0; hook != NULL && i < ke_processor_count; i++)
        atomic_fetch_or(&ke_processors[i].pending, KE_PENDING_FORCED);
}
