/* fuzz_mailbox.c - libFuzzer sends the driver whatever it likes. A stop or a leak ends the run, and the input that did it is kept in a file. */
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "mailbox.h"

DRIVER_INITIALIZE mailbox_DriverEntry;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char buffer[64];
    if (size == 0 || size > sizeof buffer || ntmm_boot(NULL) != 0)
        return 0;
    memcpy(buffer, data, size);
    PDRIVER_OBJECT driver = ntmm_driver_load(mailbox_DriverEntry);
    ntmm_request_control(driver->DeviceObject, IOCTL_MAILBOX_POST, buffer, (uint32_t)size, NULL, 0, NULL);
    ntmm_request_control(driver->DeviceObject, IOCTL_MAILBOX_FETCH, buffer, (uint32_t)size, buffer, sizeof buffer, NULL);
    ntmm_driver_unload(driver);
    if (ntmm_shutdown(NULL) != 0)
        abort();
    return 0;
}
