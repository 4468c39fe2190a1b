/*
 * mailbox.h - what applications and the driver share: two requests, for eight slots.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#define MAILBOX_SLOTS 8

typedef struct MAILBOX_LETTER {
    UCHAR  Slot;
    UCHAR  Reserved;
    USHORT Bytes; /* of Text that count */
    UCHAR  Text[1];
} MAILBOX_LETTER, *PMAILBOX_LETTER;

#define IOCTL_MAILBOX_POST CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)  /* in: a letter */
#define IOCTL_MAILBOX_FETCH CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS) /* in: a slot; out: its text */

#endif
