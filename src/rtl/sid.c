/*
 * sid.c - security identifiers by their bytes: a revision, a count, an authority of six bytes, and so many numbers.
 *
 * Source      WDK reference: ntifs.h, the page of each routine; [MS-DTYP] 2.4.2.
 */
#include <string.h>

#include <ntifs.h>

static ULONG bytes_of(ULONG sub_authorities) { return (ULONG)(offsetof(SID, SubAuthority) + sub_authorities * sizeof(ULONG)); }

BOOLEAN RtlValidSid(PSID Sid)
{
    const SID *sid = Sid;
    return sid != NULL && sid->Revision == SID_REVISION && sid->SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES;
}

ULONG RtlLengthSid(PSID Sid) { return bytes_of(((const SID *)Sid)->SubAuthorityCount); }

ULONG RtlLengthRequiredSid(ULONG SubAuthorityCount) { return bytes_of(SubAuthorityCount); }

NTSTATUS RtlInitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY IdentifierAuthority, UCHAR SubAuthorityCount)
{
    SID *sid = Sid;
    if (SubAuthorityCount > SID_MAX_SUB_AUTHORITIES)
        return STATUS_INVALID_PARAMETER;
    sid->Revision = SID_REVISION;
    sid->SubAuthorityCount = SubAuthorityCount;
    sid->IdentifierAuthority = *IdentifierAuthority;
    return STATUS_SUCCESS;
}

PULONG RtlSubAuthoritySid(PSID Sid, ULONG SubAuthority) { return &((SID *)Sid)->SubAuthority[SubAuthority]; }

PUCHAR RtlSubAuthorityCountSid(PSID Sid) { return &((SID *)Sid)->SubAuthorityCount; }

BOOLEAN RtlEqualSid(PSID Sid1, PSID Sid2)
{
    const SID *one = Sid1, *other = Sid2;
    return one->Revision == other->Revision && one->SubAuthorityCount == other->SubAuthorityCount &&
           memcmp(one, other, bytes_of(one->SubAuthorityCount)) == 0;
}

NTSTATUS RtlCopySid(ULONG DestinationSidLength, PSID DestinationSid, PSID SourceSid)
{
    ULONG bytes = RtlLengthSid(SourceSid);
    if (bytes > DestinationSidLength)
        return STATUS_BUFFER_TOO_SMALL;
    memmove(DestinationSid, SourceSid, bytes);
    return STATUS_SUCCESS;
}
