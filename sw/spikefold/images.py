"""Memory images: one `.mem` for `$readmemh` and one `.bin` for a host, per memory."""

from spikefold.ir import Network, Profile
from spikefold.ir.words import memory_images


def image_files(network: Network, profile: Profile) -> dict[str, bytes]:
    """Files of every memory, by file name.

    `.mem`: a row per line in hexadecimal. `.bin`: rows one after another, each padded to whole
    bytes, least significant byte first.
    """
    files = {}
    for layer in profile.layers:
        for name, image in memory_images(network, layer).items():
            files[f"{name}.mem"] = image.hexadecimal
            files[f"{name}.bin"] = image.data.tobytes()
    return files


def load_bytes(network: Network, profile: Profile) -> bytes:
    """What a host sends to a design whose memories are loaded: every `.bin` file, layer by layer."""
    images = (image for layer in profile.layers for image in memory_images(network, layer).values())
    return b"".join(image.data.tobytes() for image in images)
