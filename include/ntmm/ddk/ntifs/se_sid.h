/*
 * se_sid.h - security identifiers and lists of access control entries, as bytes.
 *
 * Source  WDK reference: ntifs.h, SID, ACE_HEADER, SID_AND_ATTRIBUTES, SECURITY_DESCRIPTOR; [MS-DTYP] 2.4. Checked against mingw-w64's by
 *         headers_compare.
 */
#ifndef NTMM_DDK_NTIFS_SE_SID_H
#define NTMM_DDK_NTIFS_SE_SID_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- SIDs ---- */
typedef struct _SID_IDENTIFIER_AUTHORITY {
    UCHAR Value[6]; /* the most significant byte first */
} SID_IDENTIFIER_AUTHORITY, *PSID_IDENTIFIER_AUTHORITY;
typedef struct _SID {
    UCHAR                    Revision; /* SID_REVISION */
    UCHAR                    SubAuthorityCount;
    SID_IDENTIFIER_AUTHORITY IdentifierAuthority;
    ULONG                    SubAuthority[ANYSIZE_ARRAY];
} SID, *PISID;
#define SID_REVISION 1
#define SID_MAX_SUB_AUTHORITIES 15
#define SID_RECOMMENDED_SUB_AUTHORITIES 1
#define SECURITY_MAX_SID_SIZE (sizeof(SID) - sizeof(ULONG) + (SID_MAX_SUB_AUTHORITIES * sizeof(ULONG)))
typedef enum _SID_NAME_USE {
    SidTypeUser = 1,
    SidTypeGroup,
    SidTypeDomain,
    SidTypeAlias,
    SidTypeWellKnownGroup,
    SidTypeDeletedAccount,
    SidTypeInvalid,
    SidTypeUnknown,
    SidTypeComputer,
    SidTypeLabel,
    SidTypeLogonSession
} SID_NAME_USE,
    *PSID_NAME_USE;
typedef struct _SID_AND_ATTRIBUTES {
    PSID  Sid;
    ULONG Attributes; /* SE_GROUP_* */
} SID_AND_ATTRIBUTES, *PSID_AND_ATTRIBUTES;
typedef SID_AND_ATTRIBUTES        SID_AND_ATTRIBUTES_ARRAY[ANYSIZE_ARRAY];
typedef SID_AND_ATTRIBUTES_ARRAY *PSID_AND_ATTRIBUTES_ARRAY;

#define SECURITY_NULL_SID_AUTHORITY \
    { \
        0, 0, 0, 0, 0, 0 \
    }
#define SECURITY_WORLD_SID_AUTHORITY \
    { \
        0, 0, 0, 0, 0, 1 \
    }
#define SECURITY_LOCAL_SID_AUTHORITY \
    { \
        0, 0, 0, 0, 0, 2 \
    }
#define SECURITY_CREATOR_SID_AUTHORITY \
    { \
        0, 0, 0, 0, 0, 3 \
    }
#define SECURITY_NON_UNIQUE_AUTHORITY \
    { \
        0, 0, 0, 0, 0, 4 \
    }
#define SECURITY_NT_AUTHORITY \
    { \
        0, 0, 0, 0, 0, 5 \
    }
#define SECURITY_MANDATORY_LABEL_AUTHORITY \
    { \
        0, 0, 0, 0, 0, 16 \
    }
#define SECURITY_NULL_RID 0x00000000
#define SECURITY_WORLD_RID 0x00000000
#define SECURITY_LOCAL_RID 0x00000000
#define SECURITY_CREATOR_OWNER_RID 0x00000000
#define SECURITY_CREATOR_GROUP_RID 0x00000001
#define SECURITY_DIALUP_RID 0x00000001
#define SECURITY_NETWORK_RID 0x00000002
#define SECURITY_BATCH_RID 0x00000003
#define SECURITY_INTERACTIVE_RID 0x00000004
#define SECURITY_LOGON_IDS_RID 0x00000005
#define SECURITY_SERVICE_RID 0x00000006
#define SECURITY_ANONYMOUS_LOGON_RID 0x00000007
#define SECURITY_AUTHENTICATED_USER_RID 0x0000000B
#define SECURITY_RESTRICTED_CODE_RID 0x0000000C
#define SECURITY_LOCAL_SYSTEM_RID 0x00000012
#define SECURITY_LOCAL_SERVICE_RID 0x00000013
#define SECURITY_NETWORK_SERVICE_RID 0x00000014
#define SECURITY_BUILTIN_DOMAIN_RID 0x00000020
#define DOMAIN_USER_RID_ADMIN 0x000001F4
#define DOMAIN_ALIAS_RID_ADMINS 0x00000220
#define DOMAIN_ALIAS_RID_USERS 0x00000221
#define DOMAIN_ALIAS_RID_GUESTS 0x00000222

#define SE_GROUP_MANDATORY 0x00000001u
#define SE_GROUP_ENABLED_BY_DEFAULT 0x00000002u
#define SE_GROUP_ENABLED 0x00000004u
#define SE_GROUP_OWNER 0x00000008u
#define SE_GROUP_USE_FOR_DENY_ONLY 0x00000010u
#define SE_GROUP_INTEGRITY 0x00000020u
#define SE_GROUP_INTEGRITY_ENABLED 0x00000040u
#define SE_GROUP_RESOURCE 0x20000000u
#define SE_GROUP_LOGON_ID 0xC0000000u

/**
 * SIDs as bytes. A valid one has revision 1 and at most 15 sub-authorities. Nothing is looked up: there is no database of accounts.
 *
 * RtlValidSid                 TRUE: it is one
 * RtlLengthSid                its bytes; RtlLengthRequiredSid: those of one with that many sub-authorities
 * RtlInitializeSid            revision, authority, count; the sub-authorities stay as they are. STATUS_INVALID_PARAMETER: more than 15
 * RtlSubAuthoritySid          where one of them is; RtlSubAuthorityCountSid: where their number is
 * RtlEqualSid                 TRUE: the same bytes
 * RtlCopySid                  STATUS_BUFFER_TOO_SMALL: the destination has not so many bytes
 *
 * @irql    any, if the SID is resident (RtlCopySid and RtlInitializeSid are documented below DISPATCH_LEVEL, for pageable code)
 * @source  WDK reference: ntifs.h, the page of each routine; [MS-DTYP] 2.4.2
 */
NTSYSAPI BOOLEAN  RtlValidSid(PSID Sid);
NTSYSAPI ULONG    RtlLengthSid(PSID Sid);
NTSYSAPI ULONG    RtlLengthRequiredSid(ULONG SubAuthorityCount);
NTSYSAPI NTSTATUS RtlInitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY IdentifierAuthority, UCHAR SubAuthorityCount);
NTSYSAPI PULONG   RtlSubAuthoritySid(PSID Sid, ULONG SubAuthority);
NTSYSAPI PUCHAR   RtlSubAuthorityCountSid(PSID Sid);
NTSYSAPI BOOLEAN  RtlEqualSid(PSID Sid1, PSID Sid2);
NTSYSAPI NTSTATUS RtlCopySid(ULONG DestinationSidLength, PSID DestinationSid, PSID SourceSid);

/* ---- entries of a list ---- */
typedef struct _ACE_HEADER {
    UCHAR  AceType, AceFlags; /* ..._ACE_TYPE, ..._ACE */
    USHORT AceSize;           /* bytes */
} ACE_HEADER, *PACE_HEADER;
#define ACCESS_ALLOWED_ACE_TYPE 0x0
#define ACCESS_DENIED_ACE_TYPE 0x1
#define SYSTEM_AUDIT_ACE_TYPE 0x2
#define SYSTEM_ALARM_ACE_TYPE 0x3
#define SYSTEM_MANDATORY_LABEL_ACE_TYPE 0x11
#define OBJECT_INHERIT_ACE 0x1
#define CONTAINER_INHERIT_ACE 0x2
#define NO_PROPAGATE_INHERIT_ACE 0x4
#define INHERIT_ONLY_ACE 0x8
#define INHERITED_ACE 0x10
#define VALID_INHERIT_FLAGS 0x1F
typedef struct _ACCESS_ALLOWED_ACE {
    ACE_HEADER  Header;
    ACCESS_MASK Mask;
    ULONG       SidStart; /* the SID begins here */
} ACCESS_ALLOWED_ACE, *PACCESS_ALLOWED_ACE;
typedef struct _ACCESS_DENIED_ACE {
    ACE_HEADER  Header;
    ACCESS_MASK Mask;
    ULONG       SidStart;
} ACCESS_DENIED_ACE, *PACCESS_DENIED_ACE;
typedef struct _SYSTEM_AUDIT_ACE {
    ACE_HEADER  Header;
    ACCESS_MASK Mask;
    ULONG       SidStart;
} SYSTEM_AUDIT_ACE, *PSYSTEM_AUDIT_ACE;

/* ---- security descriptors ---- */
typedef USHORT SECURITY_DESCRIPTOR_CONTROL, *PSECURITY_DESCRIPTOR_CONTROL;
#define SE_OWNER_DEFAULTED 0x0001
#define SE_GROUP_DEFAULTED 0x0002
#define SE_DACL_PRESENT 0x0004
#define SE_DACL_DEFAULTED 0x0008
#define SE_SACL_PRESENT 0x0010
#define SE_SACL_DEFAULTED 0x0020
#define SE_DACL_AUTO_INHERIT_REQ 0x0100
#define SE_SACL_AUTO_INHERIT_REQ 0x0200
#define SE_DACL_AUTO_INHERITED 0x0400
#define SE_SACL_AUTO_INHERITED 0x0800
#define SE_DACL_PROTECTED 0x1000
#define SE_SACL_PROTECTED 0x2000
#define SE_RM_CONTROL_VALID 0x4000
#define SE_SELF_RELATIVE 0x8000
typedef struct _SECURITY_DESCRIPTOR_RELATIVE {
    UCHAR                       Revision, Sbz1;
    SECURITY_DESCRIPTOR_CONTROL Control;
    ULONG                       Owner, Group, Sacl, Dacl; /* bytes from here; 0: there is none */
} SECURITY_DESCRIPTOR_RELATIVE, *PISECURITY_DESCRIPTOR_RELATIVE;
typedef struct _SECURITY_DESCRIPTOR {
    UCHAR                       Revision, Sbz1;
    SECURITY_DESCRIPTOR_CONTROL Control;
    PSID                        Owner, Group;
    PACL                        Sacl, Dacl;
} SECURITY_DESCRIPTOR, *PISECURITY_DESCRIPTOR;
NTMM_LAYOUT(sizeof(SID) == 12 && sizeof(SECURITY_DESCRIPTOR) == 40, "SID, SECURITY_DESCRIPTOR, x64");

/* ---- tokens ---- */
#define TOKEN_ASSIGN_PRIMARY 0x0001u
#define TOKEN_DUPLICATE 0x0002u
#define TOKEN_IMPERSONATE 0x0004u
#define TOKEN_QUERY 0x0008u
#define TOKEN_QUERY_SOURCE 0x0010u
#define TOKEN_ADJUST_PRIVILEGES 0x0020u
#define TOKEN_ADJUST_GROUPS 0x0040u
#define TOKEN_ADJUST_DEFAULT 0x0080u
#define TOKEN_ADJUST_SESSIONID 0x0100u
typedef enum _TOKEN_TYPE { TokenPrimary = 1, TokenImpersonation } TOKEN_TYPE, *PTOKEN_TYPE;
typedef enum _TOKEN_INFORMATION_CLASS {
    TokenUser = 1,
    TokenGroups,
    TokenPrivileges,
    TokenOwner,
    TokenPrimaryGroup,
    TokenDefaultDacl,
    TokenSource,
    TokenType,
    TokenImpersonationLevel,
    TokenStatistics,
    TokenRestrictedSids,
    TokenSessionId
} TOKEN_INFORMATION_CLASS,
    *PTOKEN_INFORMATION_CLASS;
typedef struct _TOKEN_USER {
    SID_AND_ATTRIBUTES User;
} TOKEN_USER, *PTOKEN_USER;
typedef struct _TOKEN_GROUPS {
    ULONG              GroupCount;
    SID_AND_ATTRIBUTES Groups[ANYSIZE_ARRAY];
} TOKEN_GROUPS, *PTOKEN_GROUPS;
typedef struct _TOKEN_PRIVILEGES {
    ULONG               PrivilegeCount;
    LUID_AND_ATTRIBUTES Privileges[ANYSIZE_ARRAY];
} TOKEN_PRIVILEGES, *PTOKEN_PRIVILEGES;
typedef struct _TOKEN_OWNER {
    PSID Owner;
} TOKEN_OWNER, *PTOKEN_OWNER;

#ifdef __cplusplus
}
#endif
#endif
