/*
 * wdm.h - what a WDM driver includes: one header per idea, in the folder wdm/.
 */
#ifndef NTMM_DDK_WDM_H
#define NTMM_DDK_WDM_H

#include "ntdef.h"
#include "ntstatus.h"
#include "bugcodes.h"

#include "wdm/rtl_fastfail.h"      /* RtlFailFast */
#include "wdm/rtl_memory.h"        /* RtlCopyMemory and its like */
#include "wdm/rtl_lists.h"         /* LIST_ENTRY and SINGLE_LIST_ENTRY */
#include "wdm/interlocked.h"       /* one word, changed at once */
#include "wdm/interlocked_forms.h" /* its other names */
#include "wdm/plain_access.h"      /* one word, read or written */

#include "wdm/rtl_bits.h"           /* bytes of numbers */
#include "wdm/rtl_bitmap.h"         /* bitmaps */
#include "wdm/rtl_time.h"           /* dates */
#include "wdm/rtl_debug.h"          /* DbgPrint, ASSERT */
#include "wdm/rtl_string.h"         /* counted strings */
#include "wdm/rtl_string_case.h"    /* comparing them */
#include "wdm/rtl_string_convert.h" /* code pages, numbers, GUIDs */

#include "wdm/machine.h"           /* page size, IRQL levels, processors */
#include "wdm/version.h"           /* NTDDI values */
#include "wdm/pool_types.h"        /* POOL_TYPE, POOL_FLAGS */
#include "wdm/ex_driver_runtime.h" /* NX pool and zeroed pool on old and new Windows */
#include "wdm/ps_process.h"        /* PsGetCurrentProcess */
#include "wdm/ke_irql.h"           /* KeRaiseIrql, critical and guarded regions */
#include "wdm/ke_spinlock.h"       /* spin locks in all their forms */
#include "wdm/ke_stack.h"          /* how much stack there is */
#include "wdm/io_objects.h"        /* DEVICE_OBJECT, DRIVER_OBJECT */
#include "wdm/mdl.h"               /* MDL, and what needs no routine */
#include "wdm/se_types.h"          /* access rights, privileges, tokens */
#include "wdm/power_types.h"       /* power states, limits, settings */
#include "wdm/file_information.h"  /* FILE_INFORMATION_CLASS and the answers */
#include "wdm/irp.h"               /* IRP, IO_STACK_LOCATION */
#include "wdm/ke_dpc.h"            /* deferred procedure calls, interrupts */
#include "wdm/io_interrupt.h"      /* IoConnectInterruptEx */
#include "wdm/ke_event.h"          /* events */
#include "wdm/ke_mutex.h"          /* mutexes, semaphores */
#include "wdm/ex_fast_mutex.h"     /* fast mutexes, guarded mutexes */
#include "wdm/ex_push_lock.h"      /* push locks */
#include "wdm/ex_rundown.h"        /* rundown protection */
#include "wdm/ke_timer.h"          /* timers */
#include "wdm/ke_wait.h"           /* KeWaitForSingleObject and its like */
#include "wdm/ke_time.h"           /* what time it is */
#include "wdm/ke_bugcheck.h"       /* KeBugCheckEx and its callbacks */
#include "wdm/exception.h"         /* EXCEPTION_RECORD, CONTEXT */
#include "wdm/excpt.h"             /* __try, __except, __finally, __leave */
#include "wdm/ex_raise.h"          /* ExRaiseStatus */
#include "wdm/mm_user.h"           /* ProbeForRead, MmUserProbeAddress */
#include "wdm/mm_secure.h"         /* MmSecureVirtualMemory */
#include "wdm/ex_pool.h"           /* pools */
#include "wdm/ex_pool_extended.h"  /* ExAllocatePool3, secure pool */
#include "wdm/ex_resource.h"       /* ERESOURCE */
#include "wdm/mm_contiguous.h"
#include "wdm/mm_physmem.h"
#include "wdm/mm_paged_code.h"   /* PAGED_CODE, pageable sections of drivers */
#include "wdm/mm_io_space.h"     /* MmMapIoSpace */
#include "wdm/mm_mdl.h"          /* locking and mapping of MDLs */
#include "wdm/mm_mdl_pages.h"    /* pages that come with an MDL */
#include "wdm/io_mdl.h"          /* making MDLs */
#include "wdm/io_irp.h"          /* IRPs */
#include "wdm/io_device.h"       /* device objects */
#include "wdm/io_driver.h"       /* driver objects */
#include "wdm/hal_registers.h"   /* READ_REGISTER_ULONG, READ_PORT_ULONG and their like */
#include "wdm/cm_resources.h"    /* which addresses, ports and interrupts a device has */
#include "wdm/cm_requirements.h" /* which it could do with */
#include "wdm/io_csq.h"          /* cancel-safe queues */
#include "wdm/io_remove_lock.h"  /* remove locks */
#include "wdm/ke_device_queue.h" /* device queues */
#include "wdm/io_start.h"        /* IoStartPacket */
#include "wdm/hal_bus.h"         /* PCI configuration space, bus-relative addresses */
#include "wdm/mm_verifier.h"     /* is a driver verified? */
#include "wdm/io_dma.h"          /* DMA adapters, map registers, common buffers, scatter/gather lists */
#include "wdm/ob_handle.h"       /* ZwClose */
#include "wdm/ps_thread.h"       /* PsCreateSystemThread */
#include "wdm/ex_work_item.h"    /* work items */
#include "wdm/ex_timer.h"        /* timers that the system allocates */
#include "wdm/ob_object.h"       /* ObReferenceObject and its like */
#include "wdm/ex_callback.h"     /* callback objects */
#include "wdm/io_file.h"         /* FILE_OBJECT */
#include "wdm/mm_section.h"      /* ZwCreateSection, ZwMapViewOfSection */
#include "wdm/io_event.h"        /* events with a name, memory conditions */
#include "wdm/io_ksr.h"          /* memory that survives a soft reboot */

#include "wdm/ex_interlocked.h" /* lists and counters under a spin lock */
#include "wdm/ex_slist.h"       /* lists without a lock */
#include "wdm/ex_lookaside.h"   /* lookaside lists */

#include "wdm/crt_wide.h"       /* wcslen and its like */
#include "wdm/io_constants.h"   /* numbers of the I/O system */
#include "wdm/registry_types.h" /* what the registry hands out */
#include "wdm/pnp_types.h"      /* what Plug and Play asks of a driver */
#include "wdm/pci_config.h"     /* PCI configuration space by name */
#include "devpropdef.h"         /* keys of properties */
#include "wdm/io_pnp.h"         /* what a driver asks of Plug and Play */
#include "wdm/cm_registry.h"    /* the registry */
#include "wdm/cm_callback.h"    /* who filters it */
#include "wdm/bus_interfaces.h" /* tables of routines between drivers */
#include "wdm/po_fx.h"          /* components of a device and their power */
#include "wdm/io_types.h"       /* volumes, shares, the error log */
#include "wdm/io_log.h"         /* the error log, WMI */
#include "wdm/io_zw_file.h"     /* ZwCreateFile and its like */
#include "wdm/po_power.h"       /* power requests and settings */
#include "wdm/fast_io.h"        /* requests without an IRP */

#include "evntprov.h"         /* event tracing */
#include "wdm/ob_callbacks.h" /* who hears of handles */
#include "wdm/ob_register.h"  /* ObRegisterCallbacks */
#include "wdm/ke_floating.h"  /* floating point in kernel mode */

#endif
