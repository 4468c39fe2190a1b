/*
 * wdmsec.h - security descriptors as text, for IoCreateDeviceSecure. There is no security here: nobody looks at them.
 *
 * Source  WDK reference: wdmsec.h, IoCreateDeviceSecure; "SDDL for device objects" (what each string grants).
 */
#ifndef NTMM_DDK_WDMSEC_H
#define NTMM_DDK_WDMSEC_H

#include "wdm.h"

#define NTMM_SDDL(name, text) \
    NTMM_GUID_EXTERN const UNICODE_STRING                     name; \
    NTMM_GUID_LINKAGE DECLSPEC_SELECTANY const UNICODE_STRING name = RTL_CONSTANT_STRING(text)
NTMM_SDDL(SDDL_DEVOBJ_KERNEL_ONLY, L"D:P");
NTMM_SDDL(SDDL_DEVOBJ_SYS_ALL, L"D:P(A;;GA;;;SY)");
NTMM_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_ALL, L"D:P(A;;GA;;;SY)(A;;GA;;;BA)");
NTMM_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RX, L"D:P(A;;GA;;;SY)(A;;GRGX;;;BA)");
NTMM_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R, L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)");
NTMM_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R_RES_R, L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)(A;;GR;;;RC)");
NTMM_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RW_RES_R, L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGW;;;WD)(A;;GR;;;RC)");
NTMM_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RWX_RES_RWX, L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGWGX;;;WD)(A;;GRGWGX;;;RC)");
#undef NTMM_SDDL

#ifdef __cplusplus
extern "C" {
#endif
/** IoCreateDevice. @irql <= APC_LEVEL @models the security descriptor and the class are not looked at: there is no security
 *  @source WDK reference: wdmsec.h, IoCreateDeviceSecure (WdmlibIoCreateDeviceSecure) */
NTKERNELAPI NTSTATUS WdmlibIoCreateDeviceSecure(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                                                DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                                                PCUNICODE_STRING DefaultSDDLString, LPCGUID DeviceClassGuid, PDEVICE_OBJECT *DeviceObject);
#define IoCreateDeviceSecure WdmlibIoCreateDeviceSecure
#ifdef __cplusplus
}
#endif

#endif
