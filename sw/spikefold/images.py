"""Memory images: one `.mem` for `$readmemh` and one `.bin` for a host, per memory."""

from spikefold.ir import Network, Profile
from spikefold.ir.words import memory_words


def memory_images(network: Network, profile: Profile) -> dict[str, bytes]:
    """Files of every memory, by file name.

    `.mem`: a row per line in hexadecimal. `.bin`: rows one after another, each padded to whole
    bytes, least significant byte first.
    """
    files = {}
    for layer in profile.layers:
        for name, (bits, words) in memory_words(network, layer).items():
            digits, size = -(-bits // 4), -(-bits // 8)
            files[f"{name}.mem"] = "".join(f"{word:0{digits}x}\n" for word in words).encode()
            files[f"{name}.bin"] = b"".join(word.to_bytes(size, "little") for word in words)
    return files
