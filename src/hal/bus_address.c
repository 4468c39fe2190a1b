/*
 * bus_address.c - HalTranslateBusAddress: a bus-relative address is the same physical address or port, where the bus reaches that far.
 *
 * Source      Windows 2000 DDK: HalTranslateBusAddress.
 * Fidelity    which buses there are, and how far each reaches, is a choice: those of a PC.
 */
#include <ntddk.h>

#include "hal/hal.h"
#include "ke/bugcheck.h"

#define MEMORY 0u
#define PORTS 1u
#define LAST_PORT 0xFFFFu

/* The last address of memory on that bus; 0: there is no such bus. */
static uint64_t last_address(INTERFACE_TYPE type, ULONG bus)
{
    switch (type) {
    case PCIBus: return hal_pci_bus_exists(bus) ? UINT64_MAX : 0;
    case Internal: return bus == 0 ? UINT64_MAX : 0;
    case Eisa: return bus == 0 ? UINT32_MAX : 0;
    case Isa: return bus == 0 ? 0xFFFFFF : 0;
    default: return 0;
    }
}

BOOLEAN HalTranslateBusAddress(INTERFACE_TYPE InterfaceType, ULONG BusNumber, PHYSICAL_ADDRESS BusAddress, PULONG AddressSpace,
                               PPHYSICAL_ADDRESS TranslatedAddress)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL || *AddressSpace > PORTS)
        return FALSE;
    uint64_t last = last_address(InterfaceType, BusNumber);
    if (last == 0 || (uint64_t)BusAddress.QuadPart > (*AddressSpace == MEMORY ? last : LAST_PORT))
        return FALSE;
    *TranslatedAddress = BusAddress;
    return TRUE;
}
