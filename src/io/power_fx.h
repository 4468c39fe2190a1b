/*
 * power_fx.h - devices that are registered with the power management framework: what power_fx.c and power_fx_run.c share.
 *
 * A component is active while somebody has a reference on it; the driver has as many as it took, the framework one until power management starts.
 *
 *     active --refs 0--> ComponentIdleCondition .. PoFxCompleteIdleCondition --> idle, F0 --ComponentIdleState(n) .. PoFxCompleteIdleState--> Fn
 *       ^                                                                          |                                                         |
 *       '--ComponentActiveCondition----- in D0 and F0 <--ComponentIdleState(0) .. PoFxCompleteIdleState --- refs > 0, device in D0 ----------'
 *
 *     D0 --all idle, in the F-states wanted, timeout over--> DevicePowerNotRequired .. PoFxComplete... --> not required
 *      ^--------------- PoFxReportDevicePoweredOn .. DevicePowerRequired <-- a component is wanted -----------'
 */
#ifndef NTMM_IO_POWER_FX_H
#define NTMM_IO_POWER_FX_H

#include <stdbool.h>

#include <ntddk.h>

#include "ke/lock.h"

typedef struct fx_component {
    const PO_FX_COMPONENT_IDLE_STATE *states; /* [state_count]; a copy, in the device's block */
    ULONG                             state_count, deepest_wakeable;
    ULONG                             references;                  /* the driver's */
    bool                              active;                      /* its condition, as the driver was told or is being told */
    bool                              is_told;                     /* ComponentActiveCondition has returned */
    bool                              idle_pending, state_pending; /* the driver is to complete it */
    ULONG                             state, next_state;           /* F-states */
    ULONGLONG                         latency, residency;          /* 100 ns that are tolerated, that are expected */
    bool                              wakes;                       /* it is to be able to wake the device */
} fx_component_t;

typedef enum fx_power { FX_D0, FX_NOT_REQUIRED_PENDING, FX_NOT_REQUIRED, FX_REQUIRED_PENDING } fx_power_t;

/* What a POHANDLE points to: nonpaged pool. All but what is set at the registration is by fx_lock. */
typedef struct fx_device {
    struct fx_device                          *next;
    PDEVICE_OBJECT                             physical;
    PVOID                                      context;
    PPO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK active_condition;
    PPO_FX_COMPONENT_IDLE_CONDITION_CALLBACK   idle_condition;
    PPO_FX_COMPONENT_IDLE_STATE_CALLBACK       idle_state;
    PPO_FX_DEVICE_POWER_REQUIRED_CALLBACK      required;
    PPO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK  not_required;
    PPO_FX_POWER_CONTROL_CALLBACK              control;

    bool       started;
    fx_power_t power;
    bool       is_running; /* a thread calls the driver back; it looks again after each call */
    ULONGLONG  timeout;    /* 100 ns */
    bool       timer_set, timeout_over;
    ULONGLONG  timer_due; /* interrupt time */
    KTIMER     timer;
    KDPC       dpc;

    WORK_QUEUE_ITEM work; /* PO_FX_FLAG_ASYNC_ONLY */
    bool            is_queued;
    ULONG           workers; /* queued, or at work */

    ULONG          count;
    fx_component_t components[];
} fx_device_t;

extern ke_lock_t fx_lock;

void fx_device_prepare(fx_device_t *device);      /* timer, DPC, work item */
void fx_run(fx_device_t *device);                 /* calls the driver back until there is nothing to say; at most DISPATCH_LEVEL */
void fx_run_elsewhere(fx_device_t *device);       /* by a worker */
void fx_device_quiet(fx_device_t *device);        /* nobody runs it, and nobody will; PASSIVE_LEVEL */
bool fx_is_idle(const fx_component_t *component); /* its idle condition is complete */

#endif
