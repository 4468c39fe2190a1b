/* leaks.h - what was still held at shutdown. */
#ifndef NTMM_NTMM_LEAKS_H
#define NTMM_NTMM_LEAKS_H

#include <ntmm/ntmm.h>

size_t leaks_collect(ntmm_report *report); /* counts all, lists the first 64 by address; returns the count */

#endif
