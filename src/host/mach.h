/*
 * mach.h - the Mach kernel's interface on macOS, which has a host_page_size of its own.
 */
#ifndef NTMM_HOST_MACH_H
#define NTMM_HOST_MACH_H

#define host_page_size mach_host_page_size
#include <mach/mach.h>
#undef host_page_size

#endif
