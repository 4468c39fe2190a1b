/*
 * wdfhwaccess.h - registers and ports by way of the framework: only drivers in user mode go that way. A KMDF driver uses READ_REGISTER_ULONG and
 * its like (wdm/hal_registers.h), and finds nothing here, as in the kit.
 */
#ifndef NTMM_DDK_WDFHWACCESS_H
#define NTMM_DDK_WDFHWACCESS_H

#include "wdftypes.h"

#endif
