/*
 * dpc_object.h - values of the hidden fields of a KDPC.
 */
#ifndef NTMM_KE_DPC_OBJECT_H
#define NTMM_KE_DPC_OBJECT_H

#define KE_DPC_OBJECT 19 /* KDPC.Type, as a debugger knows them */
#define KE_THREADED_DPC_OBJECT 24
#define KE_DPC_TARGETED MAXIMUM_PROCESSORS /* KDPC.Number: 0, or this plus the target's number */

#endif
