/*
 * power_framework.h - how a KMDF driver of one component takes part in the power management framework. There is no such framework here: the types
 * let drivers compile, and a test of one that calls WdfDeviceWdmAssignPowerFrameworkSettings does not link until it defines it.
 *
 * A part of wdf.h, which includes what it needs.
 * Source  WDK reference: wdfdevice.h, WDF_POWER_FRAMEWORK_SETTINGS, WdfDeviceWdmAssignPowerFrameworkSettings; KMDF 1.33 headers (order of members).
 */
#ifndef NTMM_DDK_WDF_POWER_FRAMEWORK_H
#define NTMM_DDK_WDF_POWER_FRAMEWORK_H

#ifdef __cplusplus
extern "C" {
#endif

typedef NTSTATUS                                       EVT_WDFDEVICE_WDM_POST_PO_FX_REGISTER_DEVICE(WDFDEVICE Device, POHANDLE PoHandle);
typedef EVT_WDFDEVICE_WDM_POST_PO_FX_REGISTER_DEVICE  *PFN_WDFDEVICE_WDM_POST_PO_FX_REGISTER_DEVICE;
typedef VOID                                           EVT_WDFDEVICE_WDM_PRE_PO_FX_UNREGISTER_DEVICE(WDFDEVICE Device, POHANDLE PoHandle);
typedef EVT_WDFDEVICE_WDM_PRE_PO_FX_UNREGISTER_DEVICE *PFN_WDFDEVICE_WDM_PRE_PO_FX_UNREGISTER_DEVICE;

typedef struct _WDF_POWER_FRAMEWORK_SETTINGS {
    ULONG                                         Size;
    PFN_WDFDEVICE_WDM_POST_PO_FX_REGISTER_DEVICE  EvtDeviceWdmPostPoFxRegisterDevice;
    PFN_WDFDEVICE_WDM_PRE_PO_FX_UNREGISTER_DEVICE EvtDeviceWdmPrePoFxUnregisterDevice;
    PPO_FX_COMPONENT                              Component; /* NULL: one that has F0 alone */
    PPO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK    ComponentActiveConditionCallback;
    PPO_FX_COMPONENT_IDLE_CONDITION_CALLBACK      ComponentIdleConditionCallback;
    PPO_FX_COMPONENT_IDLE_STATE_CALLBACK          ComponentIdleStateCallback;
    PPO_FX_POWER_CONTROL_CALLBACK                 PowerControlCallback;
    PVOID                                         PoFxDeviceContext; /* for the callbacks above */
    ULONGLONG                                     PoFxDeviceFlags;   /* PO_FX_DEVICE_FLAG_* */
    WDF_TRI_STATE                                 DirectedPoFxEnabled;
} WDF_POWER_FRAMEWORK_SETTINGS, *PWDF_POWER_FRAMEWORK_SETTINGS;

FORCEINLINE VOID WDF_POWER_FRAMEWORK_SETTINGS_INIT(PWDF_POWER_FRAMEWORK_SETTINGS PowerFrameworkSettings)
{
    RtlZeroMemory(PowerFrameworkSettings, sizeof *PowerFrameworkSettings);
    PowerFrameworkSettings->Size = sizeof *PowerFrameworkSettings;
    PowerFrameworkSettings->DirectedPoFxEnabled = WdfUseDefault;
}
NTSTATUS WdfDeviceWdmAssignPowerFrameworkSettings(WDFDEVICE Device, PWDF_POWER_FRAMEWORK_SETTINGS PowerFrameworkSettings);

#ifdef __cplusplus
}
#endif
#endif
