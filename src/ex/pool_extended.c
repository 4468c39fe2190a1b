/*
 * pool_extended.c - ExAllocatePool3: ExAllocatePool2 with an array of parameters that a later Windows can make longer without a new routine.
 * Each parameter is read in three steps, and one that fails any of them fails the call, or is passed over if it is optional:
 *
 *     known?      a type of the enumeration, the reserved bits zero, the first of its type
 *     sensible?   a priority that exists, a node that exists, a secure pool that exists
 *     fitting?    nodes and secure pools with POOL_FLAG_NON_PAGED only
 *
 * Source      WDK reference: ExAllocatePool3, POOL_EXTENDED_PARAMETER, POOL_EXTENDED_PARAMETER_TYPE.
 * Fidelity    reserved bits, duplicates, and a count without an array are a choice: refused. An optional node is tried first, and others
 *             after it, with or without MM_ANY_NODE_OK (choice).
 */
#include "ex/pool_extended.h"

#include "ex/pool_priority.h"
#include "ex/pool_secure.h"
#include "ke/bugcheck.h"

static bool take_priority(ex_request_t *request, EX_POOL_PRIORITY priority)
{
    if (!ex_priority_is_valid(priority))
        return false;
    request->urgency = (uint8_t)ex_urgency_of(priority);
    request->side = (uint8_t)ex_side_of(priority);
    return true;
}

static bool take_node(ex_request_t *request, POOL_NODE_REQUIREMENT wanted, bool optional)
{
    uint32_t node = wanted & ~MM_ANY_NODE_OK;
    if (request->pool != MM_NONPAGED_NX || node >= ke_node_count)
        return false;
    request->on_node = true;
    request->node = node;
    request->other_nodes_too = optional || (wanted & MM_ANY_NODE_OK) != 0;
    return true;
}

static bool take_secure(ex_request_t *request, const POOL_EXTENDED_PARAMS_SECURE_POOL *secure)
{
    if (request->pool != MM_NONPAGED_NX || secure == NULL || !ex_secure_params_are_valid(secure))
        return false;
    request->secure = secure;
    return true;
}

static bool take_parameter(ex_request_t *request, PCPOOL_EXTENDED_PARAMETER parameter)
{
    switch (parameter->Type) {
    case PoolExtendedParameterPriority: return take_priority(request, parameter->Priority);
    case PoolExtendedParameterNumaNode: return take_node(request, parameter->PreferredNode, parameter->Optional != 0);
    case PoolExtendedParameterSecurePool: return take_secure(request, parameter->SecurePoolParams);
    default: return false;
    }
}

bool ex_request_extend(ex_request_t *request, PCPOOL_EXTENDED_PARAMETER parameters, ULONG count)
{
    uint32_t seen = 0;
    if (count != 0 && parameters == NULL)
        return false;
    for (ULONG i = 0; i < count; i++) {
        PCPOOL_EXTENDED_PARAMETER parameter = &parameters[i];
        uint32_t                  bit = parameter->Type < PoolExtendedParameterMax ? 1u << parameter->Type : 0;
        bool                      known = parameter->Reserved == 0 && (seen & bit) == 0;
        if (known && take_parameter(request, parameter))
            seen |= bit;
        else if (parameter->Optional == 0)
            return false;
    }
    return true;
}

PVOID ExAllocatePool3(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters,
                      ULONG ExtendedParametersCount)
{
    ex_request_t request = { .routine = __func__, .caller = (ULONG_PTR)__builtin_return_address(0) };
    if (!ex_request_from_flags(&request, Flags, NumberOfBytes, Tag) ||
        !ex_request_extend(&request, ExtendedParameters, ExtendedParametersCount))
        return ex_request_refuse(&request, STATUS_INVALID_PARAMETER);
    return ex_request_serve(&request);
}
