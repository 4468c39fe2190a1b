/*
 * wdf.h - what a driver of the Kernel-Mode Driver Framework includes: the whole family.
 * A header of the family that needs another one includes it; so each of them can be included alone.
 *
 * Source  WDK reference: Windows Driver Framework; KMDF 1.33 headers.
 */
#ifndef NTMM_DDK_WDF_H
#define NTMM_DDK_WDF_H

#include "wdftypes.h"
#include "wdfglobals.h"
#include "wdfstatus.h"
#include "wdfobject.h"
#include "wdfcore.h"
#include "wdfdriver.h"
#include "wdfdevice.h"
#include "wdfbugcodes.h"
#include "wdfsync.h"
#include "wdfmemory.h"
#include "wdfcollection.h"
#include "wdfstring.h"
#include "wdfverifier.h"
#include "wdf/power_framework.h"

/* ---- requests and what serves them ---- */
#include "wdfrequest.h"
#include "wdfio.h"
#include "wdfiotarget.h"
#include "wdffileobject.h"
#include "wdfworkitem.h"
#include "wdfdpc.h"
#include "wdftimer.h"
#include "wdfinterrupt.h"

/* ---- resources, buses, DMA ---- */
#include "wdfqueryinterface.h"
#include "wdfchildlist.h"
#include "wdfresource.h"
#include "wdffdo.h"
#include "wdfpdo.h"
#include "wdfcontrol.h"
#include "wdfwmi.h"
#include "wdfdmaenabler.h"
#include "wdfdmatransaction.h"
#include "wdfcommonbuffer.h"
#include "wdfregistry.h"
#include "wdfroletypes.h"
#include "wdfhwaccess.h"

#endif
