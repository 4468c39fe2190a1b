/* pshpack1.h - structures from here to poppack.h are packed to 1 byte. No guard: the two are used again and again. */
#pragma pack(push, 1)
