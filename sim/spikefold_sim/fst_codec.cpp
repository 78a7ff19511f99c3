// Stands in for <lz4.h> and <zlib.h>, as far as Verilator's FST writer uses them, where the machine has
// no such headers: traces then need nothing but a compiler. The build writes this file under both names.
//
// LZ4: block format, greedy matcher with one hash table. zlib (RFC 1950): stored blocks only; the writer
// keeps whichever is smaller, the original or what it got from here.

#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

namespace lz4_block {

constexpr int MIN_MATCH = 4, LAST_LITERALS = 5, MATCH_LIMIT = 12, WINDOW = 65535, HASH_BITS = 14;

inline uint32_t word(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline uint8_t* length(uint8_t* out, int value) {
    for (value -= 15; value >= 255; value -= 255) *out++ = 255;
    *out++ = static_cast<uint8_t>(value);
    return out;
}

// One sequence: literals, then a match unless `match` is 0.
inline uint8_t* sequence(uint8_t* out, const uint8_t* literals, int count, int offset, int match) {
    const int rest = match ? match - MIN_MATCH : 0;
    *out++ = static_cast<uint8_t>((count < 15 ? count : 15) << 4 | (rest < 15 ? rest : 15));
    if (count >= 15) out = length(out, count);
    std::memcpy(out, literals, count);
    out += count;
    if (match) {
        *out++ = static_cast<uint8_t>(offset);
        *out++ = static_cast<uint8_t>(offset >> 8);
        if (rest >= 15) out = length(out, rest);
    }
    return out;
}

}  // namespace lz4_block

inline int LZ4_compress_default(const char* source, char* target, int size, int) {
    using namespace lz4_block;
    const uint8_t* in = reinterpret_cast<const uint8_t*>(source);
    uint8_t* out = reinterpret_cast<uint8_t*>(target);
    std::vector<int> recent(1 << HASH_BITS, -WINDOW - 1);
    int anchor = 0;
    for (int at = 0; at + MATCH_LIMIT <= size;) {
        int& entry = recent[word(in + at) * 2654435761u >> (32 - HASH_BITS)];
        const int earlier = entry;
        entry = at;
        if (at - earlier > WINDOW || word(in + earlier) != word(in + at)) {
            ++at;
            continue;
        }
        int match = MIN_MATCH;
        while (at + match < size - LAST_LITERALS && in[earlier + match] == in[at + match]) ++match;
        out = sequence(out, in + anchor, at - anchor, at - earlier, match);
        anchor = at += match;
    }
    out = sequence(out, in + anchor, size - anchor, 0, 0);
    return static_cast<int>(out - reinterpret_cast<uint8_t*>(target));
}

using uLong = unsigned long;
using uLongf = unsigned long;
using Bytef = unsigned char;
constexpr int Z_OK = 0;

inline uLong compressBound(uLong size) { return size + size / 65535 * 5 + 11; }

inline int compress2(Bytef* target, uLongf* target_size, const Bytef* source, uLong size, int) {
    Bytef* out = target;
    *out++ = 0x78;
    *out++ = 0x01;
    uint32_t a = 1, b = 0;
    uLong at = 0;
    do {
        const uLong rest = size - at, count = rest < 65535 ? rest : 65535;
        *out++ = count == rest;
        for (const uLong field : {count, ~count}) {
            *out++ = static_cast<Bytef>(field);
            *out++ = static_cast<Bytef>(field >> 8);
        }
        std::memcpy(out, source + at, count);
        out += count;
        for (const uLong end = at + count; at < end; ++at) {
            a = (a + source[at]) % 65521;
            b = (b + a) % 65521;
        }
    } while (at < size);
    for (const int shift : {8, 0}) *out++ = static_cast<Bytef>(b >> shift);
    for (const int shift : {8, 0}) *out++ = static_cast<Bytef>(a >> shift);
    *target_size = static_cast<uLongf>(out - target);
    return Z_OK;
}
