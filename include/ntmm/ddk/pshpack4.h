/* pshpack4.h - structures from here to poppack.h are packed to 4 bytes. No guard: the two are used again and again. */
#pragma pack(push, 4)
