/* initguid.h - from here on DEFINE_GUID makes the GUIDs, where before it only declared them: see guiddef.h. */
#ifndef NTMM_DDK_INITGUID_H
#define NTMM_DDK_INITGUID_H
#ifndef INITGUID
#define INITGUID
#endif
#include "guiddef.h"
#endif
