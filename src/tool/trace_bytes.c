/*
 * trace_bytes.c - a pull-style byte source in front of read(2), with xz decoding when the first six bytes ask for it.
 *
 *     file descriptor --64 KiB--> in[] --copy, or liblzma--> the caller's buffer
 *
 * Nothing is ever held but in[] and the decoder's dictionary, so that a trace of any length is read in constant memory.
 * An .xz file says where it ends; a file that stops before that point is a fault and not an end.
 *
 * Elsewhere  lines and events: trace.c.
 * Source     The .xz file format, 1.2.0, 2.1.1.1 (magic bytes); lzma/container.h (lzma_stream_decoder).
 */
#include "tool/trace_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DECODER_MEMORY_LIMIT (UINT64_C(256) << 20) /* bytes; `xz -9` needs 65 MiB to decode */

static const unsigned char XZ_MAGIC[6] = { 0xFD, '7', 'z', 'X', 'Z', 0x00 };

struct trace_bytes {
    int           fd;
    bool          close_fd;
    bool          end_of_file;
    bool          packed; /* an .xz stream */
    bool          done;   /* the decoder has seen the end of the last stream */
    lzma_stream   decoder;
    size_t        at, length; /* unread part of in[] */
    char          fault[160]; /* "" while all is well */
    unsigned char in[1 << 16];
};

static ssize_t broken(trace_bytes *bytes, const char *sentence)
{
    snprintf(bytes->fault, sizeof bytes->fault, "%s", sentence);
    return -1;
}

/* Bring more of the file into in[] behind what is unread. false: a read error, with the fault set. */
static bool fill(trace_bytes *bytes)
{
    memmove(bytes->in, bytes->in + bytes->at, bytes->length);
    bytes->at = 0;
    for (;;) {
        ssize_t n = read(bytes->fd, bytes->in + bytes->length, sizeof bytes->in - bytes->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            snprintf(bytes->fault, sizeof bytes->fault, "cannot be read: %s", strerror(errno));
            return false;
        }
        bytes->end_of_file = n == 0;
        bytes->length += (size_t)n;
        return true;
    }
}

/* A pipe may hand over fewer bytes than the magic has: ask until there are enough to tell. */
static bool recognise(trace_bytes *bytes)
{
    while (bytes->length < sizeof XZ_MAGIC && !bytes->end_of_file)
        if (!fill(bytes))
            return false;
    if (bytes->length < sizeof XZ_MAGIC || memcmp(bytes->in, XZ_MAGIC, sizeof XZ_MAGIC) != 0)
        return true;
    bytes->packed = true;
    if (lzma_stream_decoder(&bytes->decoder, DECODER_MEMORY_LIMIT, LZMA_CONCATENATED) == LZMA_OK)
        return true;
    broken(bytes, "the xz decoder has no memory");
    return false;
}

trace_bytes *trace_bytes_open(const char *path, char *why, size_t why_size)
{
    bool         standard_input = strcmp(path, "-") == 0;
    trace_bytes *bytes = calloc(1, sizeof *bytes);
    if (bytes == NULL) {
        snprintf(why, why_size, "no memory to read it");
        return NULL;
    }
    bytes->decoder = (lzma_stream)LZMA_STREAM_INIT;
    bytes->close_fd = !standard_input;
    bytes->fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (bytes->fd < 0) {
        snprintf(why, why_size, "cannot be opened: %s", strerror(errno));
        free(bytes);
        return NULL;
    }
    if (!recognise(bytes)) {
        snprintf(why, why_size, "%s", bytes->fault);
        trace_bytes_close(bytes);
        return NULL;
    }
    return bytes;
}

static const char *decoder_sentence(lzma_ret code)
{
    switch (code) {
    case LZMA_DATA_ERROR:
    case LZMA_FORMAT_ERROR: return "the xz data is damaged, or something else follows it";
    case LZMA_OPTIONS_ERROR: return "the xz stream uses a feature this decoder does not know";
    case LZMA_MEMLIMIT_ERROR: return "the xz stream wants more than 256 MiB to be decoded";
    case LZMA_MEM_ERROR: return "the xz decoder has no memory";
    case LZMA_BUF_ERROR: return "the xz stream stops before its end: the file is cut off";
    default: return "the xz decoder gave up";
    }
}

static ssize_t decode(trace_bytes *bytes, void *buffer, size_t room)
{
    lzma_stream *decoder = &bytes->decoder;
    decoder->next_out = buffer;
    decoder->avail_out = room;
    while (decoder->avail_out == room && !bytes->done) {
        if (bytes->length == 0 && !bytes->end_of_file && !fill(bytes))
            return -1;
        decoder->next_in = bytes->in + bytes->at;
        decoder->avail_in = bytes->length;
        lzma_ret code = lzma_code(decoder, bytes->end_of_file ? LZMA_FINISH : LZMA_RUN);
        bytes->at = (size_t)(decoder->next_in - bytes->in);
        bytes->length = decoder->avail_in;
        bytes->done = code == LZMA_STREAM_END;
        if (code != LZMA_OK && code != LZMA_STREAM_END) {
            broken(bytes, decoder_sentence(code));
            break;
        }
    }
    if (decoder->avail_out == room && bytes->fault[0] != '\0')
        return -1;
    return (ssize_t)(room - decoder->avail_out); /* what came before a fault still counts: so the line number is right */
}

ssize_t trace_bytes_read(trace_bytes *bytes, void *buffer, size_t room)
{
    if (bytes->fault[0] != '\0')
        return -1;
    if (bytes->packed)
        return decode(bytes, buffer, room);
    if (bytes->length == 0 && !bytes->end_of_file && !fill(bytes))
        return -1;
    size_t n = bytes->length < room ? bytes->length : room;
    memcpy(buffer, bytes->in + bytes->at, n);
    bytes->at += n;
    bytes->length -= n;
    return (ssize_t)n;
}

const char *trace_bytes_fault(const trace_bytes *bytes) { return bytes->fault; }

void trace_bytes_close(trace_bytes *bytes)
{
    if (bytes == NULL)
        return;
    lzma_end(&bytes->decoder);
    if (bytes->close_fd && bytes->fd >= 0)
        close(bytes->fd);
    free(bytes);
}
