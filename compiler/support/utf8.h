/* One character of UTF-8 at a time, for columns, markers and messages.
 *
 * Strict: overlong forms, surrogates and code points beyond U+10FFFF are malformed.  A malformed byte is
 * one character of its own, so that any bytes at all can be walked over.
 */
#ifndef NN_UTF8_H
#define NN_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_MALFORMED UINT32_MAX

/* The code point at the start of `text` (of `length` > 0 bytes), and in *size its number of bytes. */
static inline uint32_t utf8_decode(const char *text, size_t length, size_t *size) {
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned lead = bytes[0];
    *size = 1;
    if (lead < 0x80)
        return lead;
    size_t count = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length < count)
        return UTF8_MALFORMED;
    uint32_t code = lead & (0xFFu >> (count + 1));
    for (size_t i = 1; i < count; i++) {
        if ((bytes[i] & 0xC0u) != 0x80)
            return UTF8_MALFORMED;
        code = code << 6 | (bytes[i] & 0x3Fu);
    }
    if ((count == 3 && code < 0x800) || (count == 4 && code < 0x10000) || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF))
        return UTF8_MALFORMED;
    *size = count;
    return code;
}

#endif
