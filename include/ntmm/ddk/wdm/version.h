/*
 * version.h - which Windows it is: the NTDDI numbers, which ntmm_config.windows_version takes too.
 * Source  WDK reference: RtlIsNtDdiVersionAvailable; "Using the Windows headers" (values of NTDDI_VERSION).
 */
#ifndef NTMM_DDK_WDM_VERSION_H
#define NTMM_DDK_WDM_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define NTDDI_WIN2K 0x05000000
#define NTDDI_WINXP 0x05010000
#define NTDDI_WS03 0x05020000
#define NTDDI_WS03SP1 0x05020100
#define NTDDI_WIN6 0x06000000
#define NTDDI_VISTA NTDDI_WIN6
#define NTDDI_LONGHORN NTDDI_WIN6
#define NTDDI_VISTASP1 0x06000100
#define NTDDI_WS08 NTDDI_VISTASP1
#define NTDDI_WIN7 0x06010000
#define NTDDI_WIN8 0x06020000
#define NTDDI_WINBLUE 0x06030000
#define NTDDI_WIN10 0x0A000000
#define NTDDI_WINTHRESHOLD NTDDI_WIN10
#define NTDDI_WIN10_TH2 0x0A000001  /* 1511 */
#define NTDDI_WIN10_RS1 0x0A000002  /* 1607 */
#define NTDDI_WIN10_RS2 0x0A000003  /* 1703 */
#define NTDDI_WIN10_RS3 0x0A000004  /* 1709 */
#define NTDDI_WIN10_RS4 0x0A000005  /* 1803 */
#define NTDDI_WIN10_RS5 0x0A000006  /* 1809 */
#define NTDDI_WIN10_19H1 0x0A000007 /* 1903 */
#define NTDDI_WIN10_VB 0x0A000008   /* 2004 */
#define NTDDI_WIN10_MN 0x0A000009
#define NTDDI_WIN10_FE 0x0A00000A /* Server 2022 */
#define NTDDI_WIN10_CO 0x0A00000B /* Windows 11 */
#define NTDDI_WIN10_NI 0x0A00000C
#define NTDDI_WIN10_CU 0x0A00000D
#define NTDDI_WIN11_ZN 0x0A00000E
#define NTDDI_WIN11_GA 0x0A00000F
#define NTDDI_WIN11_GE 0x0A000010

/**
 * Is this Windows of that version, or later?
 *
 * @param Version  one of the NTDDI values above
 * @return TRUE: it is. All of the number is compared, the part for releases and service packs included
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @models    ntmm_config.windows_version
 * @source    WDK reference: wdm.h, RtlIsNtDdiVersionAvailable
 */
NTSYSAPI BOOLEAN RtlIsNtDdiVersionAvailable(ULONG Version);

#ifdef __cplusplus
}
#endif
#endif
