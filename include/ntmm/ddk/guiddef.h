/*
 * guiddef.h - GUIDs: numbers of 128 bits that name things.
 *
 *     DEFINE_GUID(GUID_X, 0x..., ...)     ordinary:         extern const GUID GUID_X;
 *                                         with INITGUID:    its definition, one for each image however many files define it
 *
 * A driver defines INITGUID, or includes initguid.h, in front of the headers that name its GUIDs, in one file or in several.
 *
 * Source  WDK reference: "Defining and exporting new GUIDs", "Using GUIDs in drivers"; guiddef.h of the SDK (names).
 */
#ifndef NTMM_DDK_GUIDDEF_H
#define NTMM_DDK_GUIDDEF_H

#include <stdint.h>
#include <string.h>

#include "ntmm_keywords.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef GUID_DEFINED
#define GUID_DEFINED
typedef struct _GUID {
    uint32_t Data1;
    uint16_t Data2, Data3;
    uint8_t  Data4[8];
} GUID, *PGUID, *LPGUID;
typedef const GUID *LPCGUID;
#endif
typedef GUID IID, CLSID, FMTID, *LPIID, *LPCLSID, *LPFMTID;
NTMM_LAYOUT(sizeof(GUID) == 16, "GUID");

#ifdef __cplusplus
#define REFGUID const GUID &
#define REFIID const IID &
#define REFCLSID const IID &
#define REFFMTID const IID &
#else
#define REFGUID const GUID *
#define REFIID const IID *
#define REFCLSID const IID *
#define REFFMTID const IID *
#endif

/** All 128 bits are the same: by reference, as the C++ operators and REFGUID parameters have them, and by their 32-bit words. */
#ifdef __cplusplus
#define IsEqualGUID(rguid1, rguid2) (!memcmp(&(rguid1), &(rguid2), sizeof(GUID)))
#else
#define IsEqualGUID(rguid1, rguid2) (!memcmp((rguid1), (rguid2), sizeof(GUID)))
#endif
#define InlineIsEqualGUID(rguid1, rguid2) IsEqualGUID(rguid1, rguid2)
#define IsEqualGUIDAligned(guid1, guid2) IsEqualGUID(guid1, guid2)
#define IsEqualIID(riid1, riid2) IsEqualGUID(riid1, riid2)
#define IsEqualCLSID(rclsid1, rclsid2) IsEqualGUID(rclsid1, rclsid2)
#define IsEqualFMTID(rfmtid1, rfmtid2) IsEqualGUID(rfmtid1, rfmtid2)

#ifdef __cplusplus
}
#ifndef _SYS_GUID_OPERATOR_EQ_
#define _SYS_GUID_OPERATOR_EQ_
inline bool operator==(const GUID &one, const GUID &other) { return IsEqualGUID(one, other); }
inline bool operator!=(const GUID &one, const GUID &other) { return !IsEqualGUID(one, other); }
#endif
#endif
#endif

/* Not guarded: what DEFINE_GUID does may change from one inclusion to the next. */
#undef DEFINE_GUID
#undef NTMM_GUID_LINKAGE
#undef NTMM_GUID_EXTERN
#ifdef __cplusplus
#define NTMM_GUID_LINKAGE extern "C"
#define NTMM_GUID_EXTERN extern "C"
#else
#define NTMM_GUID_LINKAGE
#define NTMM_GUID_EXTERN extern
#endif
#ifdef INITGUID
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    NTMM_GUID_EXTERN const GUID                     name; \
    NTMM_GUID_LINKAGE DECLSPEC_SELECTANY const GUID name = { l, w1, w2, { b1, b2, b3, b4, b5, b6, b7, b8 } }
#else
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) NTMM_GUID_EXTERN const GUID name
#endif
