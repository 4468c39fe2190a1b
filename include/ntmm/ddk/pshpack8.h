/* pshpack8.h - structures from here to poppack.h are packed to 8 bytes. No guard: the two are used again and again. */
#pragma pack(push, 8)
