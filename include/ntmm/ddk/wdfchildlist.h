/*
 * wdfchildlist.h - dynamic lists of the children that a bus driver has found.
 *
 *     WdfChildListAddOrUpdateChildDescriptionAsPresent   "a child with these descriptions is there"; the PnP manager is told to ask
 *     IRP_MN_QUERY_DEVICE_RELATIONS                      EvtChildListCreateDevice makes its PDO from the description
 *     WdfChildListUpdateChildDescriptionAsMissing        "it is not"; IRP_MN_REMOVE_DEVICE follows, and takes PDO and description away
 *
 * While the driver scans or iterates, changes wait.
 *
 * Callbacks that copy and compare descriptions run at DISPATCH_LEVEL, under the list's lock: they must not call routines of the list. Those that
 * clean up run at <= DISPATCH_LEVEL, EvtChildListCreateDevice and EvtChildListScanForChildren at PASSIVE_LEVEL.
 *
 * Source  WDK reference: wdfchildlist.h; sizes and values: KMDF 1.33 headers.
 */
#ifndef NTMM_DDK_WDFCHILDLIST_H
#define NTMM_DDK_WDFCHILDLIST_H

#include "wdfobject.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS {
    WdfChildListRetrieveDeviceUndefined = 0,
    WdfChildListRetrieveDeviceSuccess,
    WdfChildListRetrieveDeviceNotYetCreated,
    WdfChildListRetrieveDeviceNoSuchDevice
} WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS,
    *PWDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS;

typedef enum _WDF_RETRIEVE_CHILD_FLAGS {
    WdfRetrieveUnspecified = 0x0000,
    WdfRetrievePresentChildren = 0x0001,
    WdfRetrieveMissingChildren = 0x0002,
    WdfRetrievePendingChildren = 0x0004,
    WdfRetrieveAddedChildren = WdfRetrievePresentChildren | WdfRetrievePendingChildren,
    WdfRetrieveAllChildren = WdfRetrievePresentChildren | WdfRetrievePendingChildren | WdfRetrieveMissingChildren
} WDF_RETRIEVE_CHILD_FLAGS;

/* First member of a driver's own description of a child: which it is, and where. Sizes in bytes, of all of it. */
typedef struct _WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER {
    ULONG IdentificationDescriptionSize;
} WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER, *PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER;
FORCEINLINE VOID WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER_INIT(PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER Header,
                                                                  ULONG IdentificationDescriptionSize)
{
    RtlZeroMemory(Header, IdentificationDescriptionSize);
    Header->IdentificationDescriptionSize = IdentificationDescriptionSize;
}
typedef struct _WDF_CHILD_ADDRESS_DESCRIPTION_HEADER {
    ULONG AddressDescriptionSize;
} WDF_CHILD_ADDRESS_DESCRIPTION_HEADER, *PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER;
FORCEINLINE VOID WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER Header, ULONG AddressDescriptionSize)
{
    RtlZeroMemory(Header, AddressDescriptionSize);
    Header->AddressDescriptionSize = AddressDescriptionSize;
}

/* ---- what a driver supplies ---- */

typedef NTSTATUS NTAPI                        EVT_WDF_CHILD_LIST_CREATE_DEVICE(WDFCHILDLIST                                 ChildList,
                                                                               PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription,
                                                                               PWDFDEVICE_INIT                              ChildInit);
typedef EVT_WDF_CHILD_LIST_CREATE_DEVICE     *PFN_WDF_CHILD_LIST_CREATE_DEVICE;
typedef VOID NTAPI                            EVT_WDF_CHILD_LIST_SCAN_FOR_CHILDREN(WDFCHILDLIST ChildList);
typedef EVT_WDF_CHILD_LIST_SCAN_FOR_CHILDREN *PFN_WDF_CHILD_LIST_SCAN_FOR_CHILDREN;
typedef VOID NTAPI                            EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COPY(
                               WDFCHILDLIST ChildList, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER SourceIdentificationDescription,
                               PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER DestinationIdentificationDescription);
typedef EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COPY *PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COPY;
typedef NTSTATUS NTAPI                                      EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_DUPLICATE(
                                         WDFCHILDLIST ChildList, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER SourceIdentificationDescription,
                                         PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER DestinationIdentificationDescription);
typedef EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_DUPLICATE *PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_DUPLICATE;
typedef BOOLEAN NTAPI                                            EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COMPARE(
                                               WDFCHILDLIST ChildList, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER FirstIdentificationDescription,
                                               PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER SecondIdentificationDescription);
typedef EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COMPARE *PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COMPARE;
typedef VOID NTAPI                                             EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_CLEANUP(
                                                WDFCHILDLIST ChildList, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription);
typedef EVT_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_CLEANUP *PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_CLEANUP;
typedef VOID NTAPI                                             EVT_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_COPY(WDFCHILDLIST                          ChildList,
                                                                                                           PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER SourceAddressDescription,
                                                                                                           PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER DestinationAddressDescription);
typedef EVT_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_COPY           *PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_COPY;
typedef NTSTATUS NTAPI
EVT_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_DUPLICATE(WDFCHILDLIST ChildList, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER SourceAddressDescription,
                                                 PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER DestinationAddressDescription);
typedef EVT_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_DUPLICATE *PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_DUPLICATE;
typedef VOID NTAPI                                        EVT_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_CLEANUP(WDFCHILDLIST                          ChildList,
                                                                                                         PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER AddressDescription);
typedef EVT_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_CLEANUP   *PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_CLEANUP;
typedef BOOLEAN NTAPI                           EVT_WDF_CHILD_LIST_DEVICE_REENUMERATED(WDFCHILDLIST ChildList, WDFDEVICE OldDevice,
                                                                                       PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER OldAddressDescription,
                                                                                       PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER NewAddressDescription);
typedef EVT_WDF_CHILD_LIST_DEVICE_REENUMERATED *PFN_WDF_CHILD_LIST_DEVICE_REENUMERATED;

/* ---- structures ---- */

typedef struct _WDF_CHILD_RETRIEVE_INFO {
    ULONG                                                 Size;
    PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER          IdentificationDescription;
    PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER                 AddressDescription;
    WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS                 Status;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COMPARE EvtChildListIdentificationDescriptionCompare;
} WDF_CHILD_RETRIEVE_INFO, *PWDF_CHILD_RETRIEVE_INFO;
FORCEINLINE VOID WDF_CHILD_RETRIEVE_INFO_INIT(PWDF_CHILD_RETRIEVE_INFO                     Info,
                                              PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription)
{
    RtlZeroMemory(Info, sizeof(WDF_CHILD_RETRIEVE_INFO));
    Info->Size = sizeof(WDF_CHILD_RETRIEVE_INFO);
    Info->IdentificationDescription = IdentificationDescription;
}

typedef struct _WDF_CHILD_LIST_CONFIG {
    ULONG                                                   Size;
    ULONG                                                   IdentificationDescriptionSize; /* bytes */
    ULONG                                                   AddressDescriptionSize;
    PFN_WDF_CHILD_LIST_CREATE_DEVICE                        EvtChildListCreateDevice;
    PFN_WDF_CHILD_LIST_SCAN_FOR_CHILDREN                    EvtChildListScanForChildren;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COPY      EvtChildListIdentificationDescriptionCopy;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_DUPLICATE EvtChildListIdentificationDescriptionDuplicate;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_CLEANUP   EvtChildListIdentificationDescriptionCleanup;
    PFN_WDF_CHILD_LIST_IDENTIFICATION_DESCRIPTION_COMPARE   EvtChildListIdentificationDescriptionCompare;
    PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_COPY             EvtChildListAddressDescriptionCopy;
    PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_DUPLICATE        EvtChildListAddressDescriptionDuplicate;
    PFN_WDF_CHILD_LIST_ADDRESS_DESCRIPTION_CLEANUP          EvtChildListAddressDescriptionCleanup;
    PFN_WDF_CHILD_LIST_DEVICE_REENUMERATED                  EvtChildListDeviceReenumerated;
} WDF_CHILD_LIST_CONFIG, *PWDF_CHILD_LIST_CONFIG;
FORCEINLINE VOID WDF_CHILD_LIST_CONFIG_INIT(PWDF_CHILD_LIST_CONFIG Config, ULONG IdentificationDescriptionSize,
                                            PFN_WDF_CHILD_LIST_CREATE_DEVICE EvtChildListCreateDevice)
{
    RtlZeroMemory(Config, sizeof(WDF_CHILD_LIST_CONFIG));
    Config->Size = sizeof(WDF_CHILD_LIST_CONFIG);
    Config->IdentificationDescriptionSize = IdentificationDescriptionSize;
    Config->EvtChildListCreateDevice = EvtChildListCreateDevice;
}

typedef struct _WDF_CHILD_LIST_ITERATOR {
    ULONG Size;
    ULONG Flags; /* WDF_RETRIEVE_CHILD_FLAGS */
    PVOID Reserved[4];
} WDF_CHILD_LIST_ITERATOR, *PWDF_CHILD_LIST_ITERATOR;
FORCEINLINE VOID WDF_CHILD_LIST_ITERATOR_INIT(PWDF_CHILD_LIST_ITERATOR Iterator, ULONG Flags)
{
    RtlZeroMemory(Iterator, sizeof(WDF_CHILD_LIST_ITERATOR));
    Iterator->Size = sizeof(WDF_CHILD_LIST_ITERATOR);
    Iterator->Flags = Flags;
}

NTMM_LAYOUT(sizeof(WDF_CHILD_LIST_CONFIG) == 96 && FIELD_OFFSET(WDF_CHILD_LIST_CONFIG, EvtChildListCreateDevice) == 16,
            "WDF_CHILD_LIST_CONFIG, x64");
NTMM_LAYOUT(sizeof(WDF_CHILD_LIST_ITERATOR) == 40 && sizeof(WDF_CHILD_RETRIEVE_INFO) == 40, "WDF_CHILD_LIST_ITERATOR, x64");

/* ---- routines ---- */

/**
 * One more list of children of a device, which is deleted with it.
 *
 * @param ChildListAttributes  or NULL; without ParentObject
 * @return STATUS_INFO_LENGTH_MISMATCH: Config->Size; STATUS_INVALID_PARAMETER: no IdentificationDescriptionSize, or no EvtChildListCreateDevice;
 *         what WdfObjectCreate returns for attributes; STATUS_INSUFFICIENT_RESOURCES
 * @irql PASSIVE_LEVEL @source WDK reference: wdfchildlist.h, WdfChildListCreate
 */
WDFAPI NTSTATUS WdfChildListCreate(WDFDEVICE Device, PWDF_CHILD_LIST_CONFIG Config, PWDF_OBJECT_ATTRIBUTES ChildListAttributes,
                                   WDFCHILDLIST *ChildList);
/** The bus. @irql <= DISPATCH_LEVEL @source WDK reference: wdfchildlist.h, WdfChildListGetDevice */
WDFAPI WDFDEVICE WdfChildListGetDevice(WDFCHILDLIST ChildList);
/**
 * The PDO of a child.
 *
 * @param RetrieveInfo  with the description that is looked for; receives Status, and the address if AddressDescription is not NULL
 * @return NULL: Status says why; or a size is wrong, and nothing has been written
 * @irql <= DISPATCH_LEVEL @source WDK reference: wdfchildlist.h, WdfChildListRetrievePdo
 */
WDFAPI WDFDEVICE WdfChildListRetrievePdo(WDFCHILDLIST ChildList, PWDF_CHILD_RETRIEVE_INFO RetrieveInfo);
/** @return STATUS_NO_SUCH_DEVICE; STATUS_INVALID_DEVICE_REQUEST: a size is not the list's, or it has no addresses @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfchildlist.h, WdfChildListRetrieveAddressDescription */
WDFAPI NTSTATUS WdfChildListRetrieveAddressDescription(WDFCHILDLIST                                 ChildList,
                                                       PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription,
                                                       PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER        AddressDescription);
/** From here to the end of the last scan changes wait; who is not reported as present meanwhile is missing then. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfchildlist.h, WdfChildListBeginScan, WdfChildListEndScan */
WDFAPI VOID WdfChildListBeginScan(WDFCHILDLIST ChildList);
WDFAPI VOID WdfChildListEndScan(WDFCHILDLIST ChildList);
/**
 * Go through the children.
 *
 * @param Iterator  WDF_CHILD_LIST_ITERATOR_INIT with those flags of WDF_RETRIEVE_CHILD_FLAGS that are wanted; the same until the end
 * @param Device    receives the PDO; NULL: it is not made yet
 * @param Info      or NULL; its EvtChildListIdentificationDescriptionCompare, if any, chooses; receives descriptions where it has room for them
 * @return STATUS_NO_MORE_ENTRIES; STATUS_INVALID_DEVICE_STATE: nothing was begun; STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER,
 *         STATUS_INVALID_DEVICE_REQUEST: sizes and flags
 * @irql <= DISPATCH_LEVEL @source WDK reference: wdfchildlist.h, the pages of the routines
 */
WDFAPI VOID     WdfChildListBeginIteration(WDFCHILDLIST ChildList, PWDF_CHILD_LIST_ITERATOR Iterator);
WDFAPI NTSTATUS WdfChildListRetrieveNextDevice(WDFCHILDLIST ChildList, PWDF_CHILD_LIST_ITERATOR Iterator, WDFDEVICE *Device,
                                               PWDF_CHILD_RETRIEVE_INFO Info);
WDFAPI VOID     WdfChildListEndIteration(WDFCHILDLIST ChildList, PWDF_CHILD_LIST_ITERATOR Iterator);
/**
 * A child is there.
 *
 * @param AddressDescription  copied, also into the record of a child that is known; NULL exactly when the list has none
 * @return STATUS_OBJECT_NAME_EXISTS, a success: it is known; STATUS_INVALID_DEVICE_REQUEST: a size is not the list's;
 *         STATUS_INSUFFICIENT_RESOURCES; what the driver's duplicate callbacks return
 * @irql <= DISPATCH_LEVEL @source WDK reference: wdfchildlist.h, WdfChildListAddOrUpdateChildDescriptionAsPresent
 */
WDFAPI NTSTATUS WdfChildListAddOrUpdateChildDescriptionAsPresent(WDFCHILDLIST                                 ChildList,
                                                                 PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription,
                                                                 PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER        AddressDescription);
/** A child is not there any more. @return STATUS_NO_SUCH_DEVICE: it never was; STATUS_INVALID_DEVICE_REQUEST: the size is not the list's
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfchildlist.h, WdfChildListUpdateChildDescriptionAsMissing */
WDFAPI NTSTATUS WdfChildListUpdateChildDescriptionAsMissing(WDFCHILDLIST                                 ChildList,
                                                            PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription);
/** For a scan that finds nothing changed. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfchildlist.h, WdfChildListUpdateAllChildDescriptionsAsPresent */
WDFAPI VOID WdfChildListUpdateAllChildDescriptionsAsPresent(WDFCHILDLIST ChildList);
/** IoRequestDeviceEject for a child. @return FALSE: there is none with that description, or it is not reported @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfchildlist.h, WdfChildListRequestChildEject */
WDFAPI BOOLEAN WdfChildListRequestChildEject(WDFCHILDLIST                                 ChildList,
                                             PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription);

#ifdef __cplusplus
}
#endif
#endif
