/*
 * test_wdf_resource.c - lists of resources: what PnP brings, in order; what a driver may add and remove; requirements with their alternatives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../support/wdf_driver.h"
#include "wdf/resource_list.h"

/* ---- what a device has ---- */

typedef struct pnp_list { /* a CM_RESOURCE_LIST with room */
    CM_RESOURCE_LIST               list;
    CM_PARTIAL_RESOURCE_DESCRIPTOR more[3];
} pnp_list_t;

static pnp_list_t three_resources(void)
{
    pnp_list_t                      all = { .list = { .Count = 1 } };
    CM_PARTIAL_RESOURCE_DESCRIPTOR *at = all.list.List[0].PartialResourceList.PartialDescriptors;
    all.list.List[0].PartialResourceList.Count = 3;
    at[0] = (CM_PARTIAL_RESOURCE_DESCRIPTOR){ .Type = CmResourceTypeMemory, .u.Memory.Length = 0x1000 };
    at[1] = (CM_PARTIAL_RESOURCE_DESCRIPTOR){ .Type = CmResourceTypePort, .u.Port.Length = 8 };
    at[2] = (CM_PARTIAL_RESOURCE_DESCRIPTOR){ .Type = CmResourceTypeInterrupt, .u.Interrupt.Vector = 5 };
    return all;
}

static WDFCMRESLIST cm_list(unsigned access)
{
    pnp_list_t    from = three_resources();
    wdf_object_t *list = NULL;
    assert_int_equal(wdf_cm_list_new((wdf_object_t *)wdf_driver, &list), STATUS_SUCCESS);
    assert_int_equal(wdf_cm_list_fill(list, &from.list, access), STATUS_SUCCESS);
    return (WDFCMRESLIST)list;
}

static void has_what_pnp_brought(void **state)
{
    (void)state;
    WDFCMRESLIST list = cm_list(WDF_RESOURCES_READ);
    assert_int_equal(WdfCmResourceListGetCount(list), 3);
    assert_int_equal(WdfCmResourceListGetDescriptor(list, 0)->Type, CmResourceTypeMemory);
    assert_int_equal(WdfCmResourceListGetDescriptor(list, 1)->u.Port.Length, 8);
    assert_int_equal(WdfCmResourceListGetDescriptor(list, 2)->u.Interrupt.Vector, 5);
    assert_null(WdfCmResourceListGetDescriptor(list, 3));
    assert_int_equal(wdf_cm_list_fill((wdf_object_t *)list, NULL, 0), STATUS_SUCCESS); /* the next start brings nothing */
    assert_int_equal(WdfCmResourceListGetCount(list), 0);
}

/* What is handed out is a copy. */
static void copies_are_the_drivers(void **state)
{
    (void)state;
    WDFCMRESLIST list = cm_list(WDF_RESOURCES_READ);
    WdfCmResourceListGetDescriptor(list, 0)->u.Memory.Length = 1;
    assert_int_equal(WdfCmResourceListGetDescriptor(list, 0)->u.Memory.Length, 0x1000);
}

static void changes_only_what_may_be_changed(void **state)
{
    CM_PARTIAL_RESOURCE_DESCRIPTOR more = { .Type = CmResourceTypeDma };
    (void)state;
    WDFCMRESLIST list = cm_list(WDF_RESOURCES_READ);
    assert_int_equal(WdfCmResourceListAppendDescriptor(list, &more), STATUS_ACCESS_DENIED);
    assert_int_equal(WdfCmResourceListInsertDescriptor(list, &more, 0), STATUS_ACCESS_DENIED);
    WdfCmResourceListRemove(list, 0);
    WdfCmResourceListRemoveByDescriptor(list, WdfCmResourceListGetDescriptor(list, 0));
    assert_int_equal(WdfCmResourceListGetCount(list), 3);
}

static void adds_and_removes(void **state)
{
    CM_PARTIAL_RESOURCE_DESCRIPTOR first = { .Type = CmResourceTypeDma }, last = { .Type = CmResourceTypeBusNumber };
    PCM_RESOURCE_LIST              back;
    (void)state;
    WDFCMRESLIST list = cm_list(WDF_RESOURCES_ADD | WDF_RESOURCES_REMOVE);
    assert_int_equal(WdfCmResourceListInsertDescriptor(list, &first, 0), STATUS_SUCCESS);
    assert_int_equal(WdfCmResourceListInsertDescriptor(list, &last, 4), STATUS_SUCCESS); /* as many as there are: behind the last */
    assert_int_equal(WdfCmResourceListInsertDescriptor(list, &last, 9), STATUS_ARRAY_BOUNDS_EXCEEDED);
    assert_int_equal(WdfCmResourceListAppendDescriptor(list, &last), STATUS_SUCCESS);
    assert_int_equal(WdfCmResourceListGetCount(list), 6);
    WdfCmResourceListRemove(list, 1);                 /* the memory */
    WdfCmResourceListRemoveByDescriptor(list, &last); /* the first of the two */
    WdfCmResourceListRemove(list, 7);                 /* nothing */
    assert_int_equal(wdf_cm_list_to_wdm((wdf_object_t *)list, &back), STATUS_SUCCESS);
    assert_int_equal(back->List[0].PartialResourceList.Count, 4);
    CM_PARTIAL_RESOURCE_DESCRIPTOR *at = back->List[0].PartialResourceList.PartialDescriptors;
    assert_int_equal(at[0].Type, CmResourceTypeDma);
    assert_int_equal(at[1].Type, CmResourceTypePort);
    assert_int_equal(at[2].Type, CmResourceTypeInterrupt);
    assert_int_equal(at[3].Type, CmResourceTypeBusNumber);
    ExFreePool(back);
}

static void stops_at_mistakes(void **state)
{
    (void)state;
    WDFCMRESLIST list = cm_list(WDF_RESOURCES_ADD);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfCmResourceListAppendDescriptor(list, NULL));
    ntmm_cmocka_reboot();
    wdf_driver_load();
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfCmResourceListGetCount((WDFCMRESLIST)(void *)wdf_driver));
    ntmm_cmocka_reboot();
    wdf_driver_load();
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfCmResourceListGetCount(NULL));
}

static void cm_failures(void *context)
{
    pnp_list_t    from = three_resources();
    wdf_object_t *list = NULL;
    NTSTATUS      status = wdf_cm_list_new((wdf_object_t *)wdf_driver, &list);
    (void)context;
    if (!NT_SUCCESS(status)) {
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
        return;
    }
    status = wdf_cm_list_fill(list, &from.list, WDF_RESOURCES_READ);
    assert_int_equal(WdfCmResourceListGetCount((WDFCMRESLIST)list), NT_SUCCESS(status) ? 3 : 0);
    wdf_object_delete(list);
}

static void survives_every_failure(void **state)
{
    (void)state;
    assert_int_equal(ntmm_for_each_failure(cm_failures, NULL), 5); /* the list, three descriptors, and none */
}

/* ---- what a device could do with ---- */

/* Two alternatives of two descriptors and one. */
static PIO_RESOURCE_REQUIREMENTS_LIST proposal(void)
{
    static _Alignas(8) unsigned char room[400];
    PIO_RESOURCE_REQUIREMENTS_LIST   all = (PIO_RESOURCE_REQUIREMENTS_LIST)(void *)room;
    memset(room, 0, sizeof room);
    all->InterfaceType = PCIBus;
    all->SlotNumber = 3;
    all->AlternativeLists = 2;
    all->List[0].Count = 2;
    all->List[0].Descriptors[0].Type = CmResourceTypeMemory;
    all->List[0].Descriptors[1].Type = CmResourceTypeInterrupt;
    PIO_RESOURCE_LIST second = (PIO_RESOURCE_LIST)(void *)&all->List[0].Descriptors[2];
    second->Count = 1;
    second->Descriptors[0].Type = CmResourceTypePort;
    return all;
}

static WDFIORESREQLIST requirements(unsigned access)
{
    wdf_object_t *list = NULL;
    assert_int_equal(wdf_io_requirements_new((wdf_object_t *)wdf_driver, proposal(), access, &list), STATUS_SUCCESS);
    return (WDFIORESREQLIST)list;
}

static void requirements_are_as_proposed(void **state)
{
    PIO_RESOURCE_REQUIREMENTS_LIST back;
    (void)state;
    WDFIORESREQLIST list = requirements(WDF_RESOURCES_READ);
    assert_int_equal(WdfIoResourceRequirementsListGetCount(list), 2);
    WDFIORESLIST first = WdfIoResourceRequirementsListGetIoResList(list, 0), second = WdfIoResourceRequirementsListGetIoResList(list, 1);
    assert_int_equal(WdfIoResourceListGetCount(first), 2);
    assert_int_equal(WdfIoResourceListGetDescriptor(first, 1)->Type, CmResourceTypeInterrupt);
    assert_null(WdfIoResourceListGetDescriptor(first, 2));
    assert_int_equal(WdfIoResourceListGetDescriptor(second, 0)->Type, CmResourceTypePort);
    assert_null(WdfIoResourceRequirementsListGetIoResList(list, 2));
    assert_false(wdf_io_requirements_changed((wdf_object_t *)list));
    assert_int_equal(wdf_io_requirements_to_wdm((wdf_object_t *)list, &back), STATUS_SUCCESS);
    assert_int_equal(back->InterfaceType, PCIBus);
    assert_int_equal(back->SlotNumber, 3);
    assert_int_equal(back->AlternativeLists, 2);
    assert_int_equal(((PIO_RESOURCE_LIST)(void *)&back->List[0].Descriptors[2])->Descriptors[0].Type, CmResourceTypePort);
    ExFreePool(back);
}

static void requirements_change_as_allowed(void **state)
{
    IO_RESOURCE_DESCRIPTOR         more = { .Type = CmResourceTypeDma };
    WDFIORESLIST                   list;
    PIO_RESOURCE_REQUIREMENTS_LIST back;
    (void)state;
    WDFIORESREQLIST all = requirements(WDF_RESOURCES_ADD | WDF_RESOURCES_REMOVE), others = requirements(WDF_RESOURCES_READ);
    assert_int_equal(WdfIoResourceListCreate(all, WDF_NO_OBJECT_ATTRIBUTES, &list), STATUS_SUCCESS);
    assert_int_equal(WdfIoResourceListAppendDescriptor(list, &more), STATUS_SUCCESS);
    more.Flags = 7;
    assert_int_equal(WdfIoResourceListInsertDescriptor(list, &more, 0), STATUS_SUCCESS);
    more.Type = CmResourceTypeBusNumber;
    WdfIoResourceListUpdateDescriptor(list, &more, 1);
    assert_int_equal(WdfIoResourceListGetDescriptor(list, 1)->Type, CmResourceTypeBusNumber);
    assert_int_equal(WdfIoResourceRequirementsListAppendIoResList(others, list), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfIoResourceRequirementsListInsertIoResList(all, list, 0), STATUS_SUCCESS);
    assert_int_equal(WdfIoResourceRequirementsListGetCount(all), 3);
    assert_ptr_equal(WdfIoResourceRequirementsListGetIoResList(all, 0), list);
    WdfIoResourceRequirementsListRemove(all, 1); /* what was the first */
    WdfIoResourceListRemove(list, 0);
    WdfIoResourceListRemoveByDescriptor(list, &more);
    assert_int_equal(WdfIoResourceListGetCount(list), 0);
    WdfObjectDelete(list);
    assert_int_equal(WdfIoResourceRequirementsListGetCount(all), 1);
    WdfIoResourceRequirementsListSetSlotNumber(all, 9);
    WdfIoResourceRequirementsListSetInterfaceType(all, Isa);
    assert_true(wdf_io_requirements_changed((wdf_object_t *)all));
    assert_int_equal(wdf_io_requirements_to_wdm((wdf_object_t *)all, &back), STATUS_SUCCESS);
    assert_int_equal(back->SlotNumber, 9);
    assert_int_equal(back->AlternativeLists, 1);
    ExFreePool(back);
    WdfIoResourceRequirementsListRemoveByIoResList(all, WdfIoResourceRequirementsListGetIoResList(all, 0));
    assert_int_equal(wdf_io_requirements_to_wdm((wdf_object_t *)all, &back), STATUS_SUCCESS);
    assert_null(back);
}

static void requirements_that_are_not_to_be_changed(void **state)
{
    IO_RESOURCE_DESCRIPTOR more = { .Type = CmResourceTypeDma };
    WDFIORESLIST           list;
    WDF_OBJECT_ATTRIBUTES  attributes;
    (void)state;
    WDFIORESREQLIST all = requirements(WDF_RESOURCES_READ);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = wdf_driver;
    assert_int_equal(WdfIoResourceListCreate(all, &attributes, &list), STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    assert_int_equal(WdfIoResourceListCreate(all, WDF_NO_OBJECT_ATTRIBUTES, &list), STATUS_SUCCESS);
    assert_int_equal(WdfIoResourceListAppendDescriptor(list, &more), STATUS_ACCESS_DENIED);
    assert_int_equal(WdfIoResourceRequirementsListAppendIoResList(all, list), STATUS_ACCESS_DENIED);
    WdfIoResourceRequirementsListRemove(all, 0);
    WdfIoResourceListRemove(WdfIoResourceRequirementsListGetIoResList(all, 0), 0);
    assert_int_equal(WdfIoResourceRequirementsListGetCount(all), 2);
    assert_int_equal(WdfIoResourceListGetCount(WdfIoResourceRequirementsListGetIoResList(all, 0)), 2);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfIoResourceListGetCount((WDFIORESLIST)(void *)all));
}

static void io_failures(void *context)
{
    wdf_object_t *list = NULL;
    NTSTATUS      status = wdf_io_requirements_new((wdf_object_t *)wdf_driver, proposal(), WDF_RESOURCES_READ, &list);
    (void)context;
    assert_true(status == STATUS_SUCCESS || status == STATUS_INSUFFICIENT_RESOURCES);
    if (NT_SUCCESS(status))
        wdf_object_delete(list);
}

static void requirements_survive_every_failure(void **state)
{
    (void)state;
    assert_int_equal(ntmm_for_each_failure(io_failures, NULL),
                     9); /* requirements, two lists and their places, three descriptors, and none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wdf_driver_test(has_what_pnp_brought),
        wdf_driver_test(copies_are_the_drivers),
        wdf_driver_test(changes_only_what_may_be_changed),
        wdf_driver_test(adds_and_removes),
        wdf_driver_test(stops_at_mistakes),
        wdf_driver_test(survives_every_failure),
        wdf_driver_test(requirements_are_as_proposed),
        wdf_driver_test(requirements_change_as_allowed),
        wdf_driver_test(requirements_that_are_not_to_be_changed),
        wdf_driver_test(requirements_survive_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
