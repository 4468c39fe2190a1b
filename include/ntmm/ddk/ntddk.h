/* ntddk.h - what a kernel-mode driver of any kind includes: wdm.h and the routines beyond it. */
#ifndef NTMM_DDK_NTDDK_H
#define NTMM_DDK_NTDDK_H
#include "wdm.h"

#include "ntddk/mm_system_view.h" /* MmMapViewInSystemSpace */
#include "ntddk/mm_video.h"       /* MmMapVideoDisplay */
#include "ntddk/os_version.h"     /* versions of Windows */
#include "ntddk/ps_notify.h"      /* who hears of processes */
#include "ntddk/ps_register.h"    /* PsSetCreateProcessNotifyRoutine, ZwOpenProcess */
#include "ntddk/rtl_table.h"      /* generic tables, splay links */
#include "ntddk/rtl_hash_table.h" /* dynamic hash tables */
#endif
