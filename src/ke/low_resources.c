/*
 * low_resources.c - Driver Verifier's low resources simulation: of 10,000 requests 600 fail, whatever is left.
 * Whoever can fail for want of memory asks on its slow path (inject.h), so the same calls are refused as by ntmm_fail_allocation, here at random: by the
 * config's seed and the number of the request. With one thread the same seed refuses the same requests.
 *
 * Locks       none: one atomic counter.
 * Source      WDK documentation: "Low Resources Simulation" (600 of 10,000; since Windows 8.1 memory that is not zeroed is filled at random).
 * Fidelity    Windows waits seven or eight minutes first, for the drivers to load: here the first requests are spared, as many as the config says, none by
 *             default. It refuses a list of routines; here it is all that can fail for want of memory. No tags or applications are picked.
 */
#include "ke/low_resources.h"

#include <ntddk.h>
#include <stdatomic.h>
#include <string.h>

#include "ke/version.h"

#define OF 10000u
#define USUAL 600u

bool ke_low_resources_on;

static _Atomic uint64_t asked;
static uint64_t         seed, spared;
static uint32_t         share; /* of 10,000 */
static bool             soils;

void ke_low_resources_boot(const ntmm_config *config)
{
    ke_low_resources_on = config != NULL && (config->verifier & NTMM_VERIFY_LOW_RESOURCES) != 0;
    if (!ke_low_resources_on)
        return;
    seed = config->seed;
    spared = config->low_resources_after;
    share = config->low_resources_share != 0 ? config->low_resources_share : USUAL;
    soils = ke_windows_version >= NTDDI_WINBLUE;
    atomic_store(&asked, 0);
}

static uint64_t mixed(uint64_t number) /* splitmix64 */
{
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9ull;
    number = (number ^ number >> 27) * 0x94D049BB133111EBull;
    return number ^ number >> 31;
}

bool ke_low_resources_refuse(void)
{
    uint64_t number = atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return number >= spared && mixed(seed + (number + 1) * 0x9E3779B97F4A7C15ull) % OF < share;
}

void ke_low_resources_soil_bytes(void *memory, size_t bytes)
{
    uint64_t random = seed ^ (uintptr_t)memory;
    for (size_t at = 0; soils && at < bytes; at += sizeof random) {
        uint64_t word = mixed(random += 0x9E3779B97F4A7C15ull);
        memcpy((char *)memory + at, &word, bytes - at < sizeof word ? bytes - at : sizeof word);
    }
}
