/*
 * rtl_debug.h - messages for the debugger, assertions and break points.
 * There is no kernel debugger here. Messages go to stderr, or to where a test wants them (ntmm_debug_output); a break point is an exception,
 * which stops the machine when no __try takes it, as on a Windows that nobody debugs.
 *
 * Formats are those of printf for Windows: %lx has 32 bits, %I64x and %llx 64, %p 16 digits; %s and %c are 8-bit text, %S, %ws and %wc 16-bit
 * text, %Z is a pointer to an ANSI_STRING and %wZ one to a UNICODE_STRING. There is no floating point.
 *
 * KdPrint and assertions are there unless the driver is compiled with DBG defined as 0.
 *
 * Source  WDK reference: wdm.h, the page of each routine; "Reading and filtering debugging messages"; "Breakpoints and assertions".
 */
#ifndef NTMM_DDK_WDM_RTL_DEBUG_H
#define NTMM_DDK_WDM_RTL_DEBUG_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who says it: components, by number. */
#define DPFLTR_SYSTEM_ID 0
#define DPFLTR_SMSS_ID 1
#define DPFLTR_SETUP_ID 2
#define DPFLTR_NTFS_ID 3
#define DPFLTR_FSTUB_ID 4
#define DPFLTR_CRASHDUMP_ID 5
#define DPFLTR_CDAUDIO_ID 6
#define DPFLTR_CDROM_ID 7
#define DPFLTR_CLASSPNP_ID 8
#define DPFLTR_DISK_ID 9
#define DPFLTR_REDBOOK_ID 10
#define DPFLTR_STORPROP_ID 11
#define DPFLTR_SCSIPORT_ID 12
#define DPFLTR_SCSIMINIPORT_ID 13
#define DPFLTR_CONFIG_ID 14
#define DPFLTR_I8042PRT_ID 15
#define DPFLTR_SERMOUSE_ID 16
#define DPFLTR_LSERMOUS_ID 17
#define DPFLTR_KBDHID_ID 18
#define DPFLTR_MOUHID_ID 19
#define DPFLTR_KBDCLASS_ID 20
#define DPFLTR_MOUCLASS_ID 21
#define DPFLTR_TWOTRACK_ID 22
#define DPFLTR_WMILIB_ID 23
#define DPFLTR_ACPI_ID 24
#define DPFLTR_AMLI_ID 25
#define DPFLTR_HALIA64_ID 26
#define DPFLTR_VIDEO_ID 27
#define DPFLTR_SVCHOST_ID 28
#define DPFLTR_VIDEOPRT_ID 29
#define DPFLTR_TCPIP_ID 30
#define DPFLTR_DMSYNTH_ID 31
#define DPFLTR_NTOSPNP_ID 32
#define DPFLTR_FASTFAT_ID 33
#define DPFLTR_SAMSS_ID 34
#define DPFLTR_PNPMGR_ID 35
#define DPFLTR_NETAPI_ID 36
#define DPFLTR_SCSERVER_ID 37
#define DPFLTR_SCCLIENT_ID 38
#define DPFLTR_SERIAL_ID 39
#define DPFLTR_SERENUM_ID 40
#define DPFLTR_UHCD_ID 41
#define DPFLTR_RPCPROXY_ID 42
#define DPFLTR_AUTOCHK_ID 43
#define DPFLTR_DCOMSS_ID 44
#define DPFLTR_UNIMODEM_ID 45
#define DPFLTR_SIS_ID 46
#define DPFLTR_FLTMGR_ID 47
#define DPFLTR_WMICORE_ID 48
#define DPFLTR_BURNENG_ID 49
#define DPFLTR_IMAPI_ID 50
#define DPFLTR_SXS_ID 51
#define DPFLTR_FUSION_ID 52
#define DPFLTR_IDLETASK_ID 53
#define DPFLTR_SOFTPCI_ID 54
#define DPFLTR_TAPE_ID 55
#define DPFLTR_MCHGR_ID 56
#define DPFLTR_IDEP_ID 57
#define DPFLTR_PCIIDE_ID 58
#define DPFLTR_FLOPPY_ID 59
#define DPFLTR_FDC_ID 60
#define DPFLTR_TERMSRV_ID 61
#define DPFLTR_W32TIME_ID 62
#define DPFLTR_PREFETCHER_ID 63
#define DPFLTR_RSFILTER_ID 64
#define DPFLTR_FCPORT_ID 65
#define DPFLTR_PCI_ID 66
#define DPFLTR_DMIO_ID 67
#define DPFLTR_DMCONFIG_ID 68
#define DPFLTR_DMADMIN_ID 69
#define DPFLTR_WSOCKTRANSPORT_ID 70
#define DPFLTR_VSS_ID 71
#define DPFLTR_PNPMEM_ID 72
#define DPFLTR_PROCESSOR_ID 73
#define DPFLTR_DMSERVER_ID 74
#define DPFLTR_SR_ID 75
#define DPFLTR_INFINIBAND_ID 76
#define DPFLTR_IHVDRIVER_ID 77
#define DPFLTR_IHVVIDEO_ID 78
#define DPFLTR_IHVAUDIO_ID 79
#define DPFLTR_IHVNETWORK_ID 80
#define DPFLTR_IHVSTREAMING_ID 81
#define DPFLTR_IHVBUS_ID 82
#define DPFLTR_HPS_ID 83
#define DPFLTR_RTLTHREADPOOL_ID 84
#define DPFLTR_LDR_ID 85
#define DPFLTR_TCPIP6_ID 86
#define DPFLTR_ISAPNP_ID 87
#define DPFLTR_SHPC_ID 88
#define DPFLTR_STORPORT_ID 89
#define DPFLTR_STORMINIPORT_ID 90
#define DPFLTR_PRINTSPOOLER_ID 91
#define DPFLTR_VSSDYNDISK_ID 92
#define DPFLTR_VERIFIER_ID 93
#define DPFLTR_VDS_ID 94
#define DPFLTR_VDSBAS_ID 95
#define DPFLTR_VDSDYN_ID 96
#define DPFLTR_VDSDYNDR_ID 97
#define DPFLTR_VDSLDR_ID 98
#define DPFLTR_VDSUTIL_ID 99
#define DPFLTR_DFRGIFC_ID 100
#define DPFLTR_DEFAULT_ID 101
#define DPFLTR_MM_ID 102
#define DPFLTR_DFSC_ID 103
#define DPFLTR_WOW64_ID 104
#define DPFLTR_ALPC_ID 105
#define DPFLTR_WDI_ID 106
#define DPFLTR_PERFLIB_ID 107
#define DPFLTR_KTM_ID 108
#define DPFLTR_IOSTRESS_ID 109
#define DPFLTR_HEAP_ID 110
#define DPFLTR_WHEA_ID 111
#define DPFLTR_USERGDI_ID 112
#define DPFLTR_MMCSS_ID 113
#define DPFLTR_TPM_ID 114
#define DPFLTR_THREADORDER_ID 115
#define DPFLTR_ENVIRON_ID 116
#define DPFLTR_EMS_ID 117
#define DPFLTR_WDT_ID 118
#define DPFLTR_FVEVOL_ID 119
#define DPFLTR_NDIS_ID 120
#define DPFLTR_NVCTRACE_ID 121
#define DPFLTR_LUAFV_ID 122
#define DPFLTR_APPCOMPAT_ID 123
#define DPFLTR_USBSTOR_ID 124
#define DPFLTR_SBP2PORT_ID 125
#define DPFLTR_COVERAGE_ID 126
#define DPFLTR_CACHEMGR_ID 127
#define DPFLTR_MOUNTMGR_ID 128
#define DPFLTR_CFR_ID 129
#define DPFLTR_TXF_ID 130
#define DPFLTR_KSECDD_ID 131
#define DPFLTR_FLTREGRESS_ID 132
#define DPFLTR_MPIO_ID 133
#define DPFLTR_MSDSM_ID 134
#define DPFLTR_UDFS_ID 135
#define DPFLTR_PSHED_ID 136
#define DPFLTR_STORVSP_ID 137
#define DPFLTR_LSASS_ID 138
#define DPFLTR_SSPICLI_ID 139
#define DPFLTR_CNG_ID 140
#define DPFLTR_EXFAT_ID 141
#define DPFLTR_FILETRACE_ID 142
#define DPFLTR_XSAVE_ID 143
#define DPFLTR_SE_ID 144
#define DPFLTR_DRIVEEXTENDER_ID 145
#define DPFLTR_POWER_ID 146
#define DPFLTR_ERROR_LEVEL 0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL 2
#define DPFLTR_INFO_LEVEL 3
#define DPFLTR_MASK 0x80000000u

/**
 * Say something, of component DPFLTR_DEFAULT_ID and level DPFLTR_INFO_LEVEL.
 *
 * @param Format  8-bit text; at most 512 bytes of what it makes are sent
 * @return        STATUS_SUCCESS, also when the filter of the component holds it back
 * @irql          <= DIRQL. The reference wants PASSIVE_LEVEL for 16-bit text; that is not checked
 * @models        nothing is held back until ntmm_debug_filter or DbgSetDebugFilterState says so (choice)
 * @source        WDK reference: wdm.h, DbgPrint, DbgPrintEx, vDbgPrintEx, vDbgPrintExWithPrefix
 */
NTSYSAPI ULONG DbgPrint(PCSTR Format, ...);
NTSYSAPI ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...);
NTSYSAPI ULONG vDbgPrintEx(ULONG ComponentId, ULONG Level, PCCH Format, va_list arglist);
/** @param Prefix  put in front, as it is; it counts into the 512 bytes */
NTSYSAPI ULONG vDbgPrintExWithPrefix(PCCH Prefix, ULONG ComponentId, ULONG Level, PCCH Format, va_list arglist);

/** Is such a message let through? @return TRUE or FALSE; STATUS_INVALID_PARAMETER_1: no such component (255 is the last, choice)
 *  @irql any @source "Reading and filtering debugging messages"; wdm.h (declaration) */
NTSYSAPI NTSTATUS DbgQueryDebugFilterState(ULONG ComponentId, ULONG Level);
/** Let such messages through, or not. @return STATUS_INVALID_PARAMETER_1 @irql any @source as DbgQueryDebugFilterState */
NTSYSAPI NTSTATUS DbgSetDebugFilterState(ULONG ComponentId, ULONG Level, BOOLEAN State);

/**
 * A break point: an exception, STATUS_BREAKPOINT. A filter may go on behind it.
 *
 * @irql      any
 * @bugcheck  KMODE_EXCEPTION_NOT_HANDLED (0x1E), in a system thread 0x7E: no __try takes it
 * @source    WDK reference: wdm.h, DbgBreakPoint, DbgBreakPointWithStatus
 */
NTSYSAPI VOID DbgBreakPoint(VOID);
NTSYSAPI VOID DbgBreakPointWithStatus(ULONG Status); /* Status goes to a debugger: it is in the exception's information (choice) */

/** An assertion that failed: an exception, STATUS_ASSERTION_FAILURE. @irql any @bugcheck as DbgBreakPoint
 *  @source WDK reference: wdm.h, NT_ASSERT; ntstatus.h */
NTMM_PUBLIC VOID ntmm_raise_assertion(VOID);
#define DbgRaiseAssertionFailure() ntmm_raise_assertion()

/** Prints the assertion, then breaks as DbgBreakPoint. @param Message  printed, too, unless NULL @irql any @bugcheck as DbgBreakPoint
 *  @source WDK reference: wdm.h, ASSERT */
NTSYSAPI VOID RtlAssert(PVOID VoidFailedAssertion, PVOID VoidFileName, ULONG LineNumber, PSTR MutableMessage);

#define KD_DEBUGGER_ENABLED FALSE
#define KD_DEBUGGER_NOT_PRESENT TRUE
/** Nobody debugs, ever. @return TRUE: no debugger @irql any @source WDK reference: wdm.h, KdRefreshDebuggerNotPresent */
NTKERNELAPI BOOLEAN KdRefreshDebuggerNotPresent(VOID);

#if defined(DBG) && DBG + 0 == 0
#define KdPrint(_x_)
#define KdPrintEx(_x_)
#define vKdPrintEx(_x_)
#define vKdPrintExWithPrefix(_x_)
#define KdBreakPoint()
#define KdBreakPointWithStatus(s)
#define ASSERT(exp) ((void)0)
#define ASSERTMSG(msg, exp) ((void)0)
#define RTL_SOFT_ASSERT(exp) ((void)0)
#define RTL_SOFT_ASSERTMSG(msg, exp) ((void)0)
#define NT_ASSERT(exp) ((void)0)
#define NT_ASSERTMSG(msg, exp) ((void)0)
#define NT_ASSERTMSGW(msg, exp) ((void)0)
#define NT_VERIFY(exp) ((exp) ? TRUE : FALSE)
#define NT_VERIFYMSG(msg, exp) ((exp) ? TRUE : FALSE)
#define NT_VERIFYMSGW(msg, exp) ((exp) ? TRUE : FALSE)
#define RTL_VERIFY(exp) ((exp) ? TRUE : FALSE)
#define RTL_VERIFYMSG(msg, exp) ((exp) ? TRUE : FALSE)
#else
#define KdPrint(_x_) DbgPrint _x_
#define KdPrintEx(_x_) DbgPrintEx _x_
#define vKdPrintEx(_x_) vDbgPrintEx _x_
#define vKdPrintExWithPrefix(_x_) vDbgPrintExWithPrefix _x_
#define KdBreakPoint() DbgBreakPoint()
#define KdBreakPointWithStatus(s) DbgBreakPointWithStatus(s)
#define NTMM_ASSERT_TOLD(exp, message) \
    (!(exp) ? (RtlAssert((PVOID)(ULONG_PTR) #exp, (PVOID)(ULONG_PTR)__FILE__, __LINE__, message), FALSE) : TRUE)
#define ASSERT(exp) NTMM_ASSERT_TOLD(exp, NULL)
#define ASSERTMSG(msg, exp) NTMM_ASSERT_TOLD(exp, (PSTR)(ULONG_PTR)(msg))
#define RTL_SOFT_ASSERT(exp) ((!(exp)) ? (DbgPrint("%s(%d): soft assertion failed: %s\n", __FILE__, __LINE__, #exp), FALSE) : TRUE)
#define RTL_SOFT_ASSERTMSG(msg, exp) \
    ((!(exp)) ? (DbgPrint("%s(%d): soft assertion failed: %s: %s\n", __FILE__, __LINE__, #exp, msg), FALSE) : TRUE)
#define NTMM_ASSERT_SAID(exp) \
    (!(exp) ? (DbgPrint("%s(%d): assertion failed: %s\n", __FILE__, __LINE__, #exp), DbgRaiseAssertionFailure(), FALSE) : TRUE)
#define NTMM_ASSERT_SAID_WITH(format, msg, exp) \
    (!(exp) ? (DbgPrint("%s(%d): assertion failed: %s: " format "\n", __FILE__, __LINE__, #exp, msg), DbgRaiseAssertionFailure(), FALSE) \
            : TRUE)
#define NT_ASSERT(exp) NTMM_ASSERT_SAID(exp)
#define NT_ASSERTMSG(msg, exp) NTMM_ASSERT_SAID_WITH("%s", msg, exp)
#define NT_ASSERTMSGW(msg, exp) NTMM_ASSERT_SAID_WITH("%ws", msg, exp)
#define NT_VERIFY(exp) NT_ASSERT(exp)
#define NT_VERIFYMSG(msg, exp) NT_ASSERTMSG(msg, exp)
#define NT_VERIFYMSGW(msg, exp) NT_ASSERTMSGW(msg, exp)
#define RTL_VERIFY(exp) ASSERT(exp)
#define RTL_VERIFYMSG(msg, exp) ASSERTMSG(msg, exp)
#endif
#define NT_ASSERT_ASSUME(exp) NT_ASSERT(exp)
#define NT_ASSERTMSG_ASSUME(msg, exp) NT_ASSERTMSG(msg, exp)
#define NT_ASSERT_NOASSUME(exp) NT_ASSERT(exp)
#define NT_ASSERTMSG_NOASSUME(msg, exp) NT_ASSERTMSG(msg, exp)

#ifdef __cplusplus
}
#endif
#endif
