/* pshpack2.h - structures from here to poppack.h are packed to 2 bytes. No guard: the two are used again and again. */
#pragma pack(push, 2)
