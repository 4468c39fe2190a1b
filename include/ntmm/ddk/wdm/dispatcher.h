/*
 * dispatcher.h - the head that every waitable object starts with, and KEVENT, the simplest of them: other structures embed it.
 * Source  WDK reference: KEVENT; the x64 layout of wdm.h.
 */
#ifndef NTMM_DDK_WDM_DISPATCHER_H
#define NTMM_DDK_WDM_DISPATCHER_H

typedef struct _DISPATCHER_HEADER {
    union {
        volatile LONG Lock;
        struct {
            UCHAR Type, Signalling, Size, Reserved1;
        };
    };
    LONG       SignalState;
    LIST_ENTRY WaitListHead;
} DISPATCHER_HEADER, *PDISPATCHER_HEADER;

typedef struct _KEVENT {
    DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT, *PRKEVENT;

NTMM_LAYOUT(sizeof(DISPATCHER_HEADER) == 24 && sizeof(KEVENT) == 24, "KEVENT, x64");
NTMM_LAYOUT(FIELD_OFFSET(KEVENT, Header.Size) == 2 && FIELD_OFFSET(KEVENT, Header.SignalState) == 4, "KEVENT, x64");
NTMM_LAYOUT(FIELD_OFFSET(KEVENT, Header.WaitListHead) == 8, "KEVENT, x64");

#endif
