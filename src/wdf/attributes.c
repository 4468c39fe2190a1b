/*
 * attributes.c - what drivers ask for when they create an object, and what of it is refused.
 *
 * Source      WDK reference: "Framework Object Creation Errors", WDF_OBJECT_ATTRIBUTES; KMDF 1.33 (in which order).
 */
#include "wdf/object.h"

static bool level_is_known(WDF_EXECUTION_LEVEL level) { return level > WdfExecutionLevelInvalid && level <= WdfExecutionLevelDispatch; }

static bool scope_is_known(WDF_SYNCHRONIZATION_SCOPE scope)
{
    return scope > WdfSynchronizationScopeInvalid && scope <= WdfSynchronizationScopeNone;
}

/* Drivers of the first framework have a shorter record, without EvtDriverGetUniqueContextType. */
static NTSTATUS check_context(const WDF_OBJECT_ATTRIBUTES *attributes)
{
    PCWDF_OBJECT_CONTEXT_TYPE_INFO type = attributes->ContextTypeInfo;
    if (type == NULL)
        return attributes->ContextSizeOverride == 0 ? STATUS_SUCCESS : STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    if (type->Size != sizeof *type && type->Size != FIELD_OFFSET(WDF_OBJECT_CONTEXT_TYPE_INFO, EvtDriverGetUniqueContextType))
        return STATUS_INFO_LENGTH_MISMATCH;
    if (type->ContextSize != 0 && type->ContextName == NULL)
        return STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    if (attributes->ContextSizeOverride != 0 && attributes->ContextSizeOverride < type->ContextSize)
        return STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    return STATUS_SUCCESS;
}

static NTSTATUS check_parent(const WDF_OBJECT_ATTRIBUTES *attributes, unsigned options)
{
    if ((options & WDF_ATTRIBUTES_NO_PARENT) != 0 && attributes->ParentObject != NULL)
        return STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED;
    if ((options & WDF_ATTRIBUTES_PARENT) != 0 && attributes->ParentObject == NULL)
        return STATUS_WDF_PARENT_NOT_SPECIFIED;
    return STATUS_SUCCESS;
}

static NTSTATUS check_level_and_scope(const WDF_OBJECT_ATTRIBUTES *attributes, unsigned options)
{
    WDF_SYNCHRONIZATION_SCOPE scope = attributes->SynchronizationScope;
    if (!level_is_known(attributes->ExecutionLevel) || !scope_is_known(scope))
        return STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    bool sets_scope = scope != WdfSynchronizationScopeInheritFromParent && scope != WdfSynchronizationScopeNone;
    if (sets_scope && (options & WDF_ATTRIBUTES_SCOPE) == 0)
        return STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID;
    if (attributes->ExecutionLevel != WdfExecutionLevelInheritFromParent && (options & WDF_ATTRIBUTES_LEVEL) == 0)
        return STATUS_WDF_EXECUTION_LEVEL_INVALID;
    return STATUS_SUCCESS;
}

NTSTATUS wdf_attributes_check(PWDF_OBJECT_ATTRIBUTES attributes, unsigned options)
{
    if (attributes == NULL)
        return (options & (WDF_ATTRIBUTES_REQUIRED | WDF_ATTRIBUTES_PARENT)) != 0 ? STATUS_WDF_PARENT_NOT_SPECIFIED : STATUS_SUCCESS;
    if (attributes->Size != sizeof *attributes)
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS status = check_context(attributes);
    if (NT_SUCCESS(status))
        status = check_parent(attributes, options);
    return NT_SUCCESS(status) ? check_level_and_scope(attributes, options) : status;
}
