"""A check that a package carries with it: samples, their golden results, and a test bench that compares."""

import numpy as np
from numpy.typing import NDArray

from spikefold.contents import load_frame
from spikefold.flow.ports import BEAT
from spikefold.golden import Run
from spikefold.soc.axi import AxiDesign
from spikefold.soc.filling import filled
from spikefold_hw.host.axi.config import WORD_BITS
from spikefold_hw.host.axi.events import event_word
from spikefold_hw.host.dense import dense_levels
from spikefold_hw.parts.input_rules import Beat
from spikefold_sim.beats import encode_beats
from spikefold_sim.dut import shapes_of

SAMPLES = 4
"""Samples of the check: one silent, one at the largest level, the others random."""

_SEED = 1
_MARGIN = 1000
"""Cycles beyond the design's longest silence, for pauses of the bench and the way through the host."""


def check_files(axi: AxiDesign) -> dict[str, bytes]:
    """The test bench, what it sends and what it expects, by path."""
    design = axi.design
    samples = check_samples(axi)
    packets = packets_of(axi, design.encode(samples))
    golden = design.golden(samples)
    results = [result_words(axi, golden, k) for k in range(SAMPLES)]
    beats = [line for packet in packets for line in _beats(packet, axi.config.bytes)]
    load = _loading(axi)
    texts = {
        f"{axi.top}_check.v": filled(
            "check.v.j2",
            top=axi.top,
            data_bits=8 * axi.config.bytes,
            keep_bits=axi.config.bytes,
            silence=design.interface.longest_silence + _MARGIN,
            tag_bits=design.interface.tag_bits,
            address_bits=axi.registers.address_bits + 2,
            beats=len(beats),
            words=len(results) * axi.format.result_words,
            result_words=axi.format.result_words,
            load_words=len(load),
            offsets={register.name: register.offset for register in axi.registers.registers},
            magic=axi.registers.identification[0],
            samples=SAMPLES,
        ),
        "check_beats.mem": "".join(beats),
        "check_results.mem": "".join(f"{word:08x}\n" for result in results for word in result),
    }
    if load:
        texts["check_load.mem"] = "".join(f"{word:08x}\n" for word in load)
    return {f"check/{name}": text.encode() for name, text in texts.items()}


def check_samples(axi: AxiDesign) -> NDArray[np.int64]:
    """The samples, as `Design.encode` takes them."""
    network = axi.design.network
    rng = np.random.default_rng(_SEED)
    shape = (SAMPLES, *network.input.sample_shape(network.steps))
    levels = rng.integers(0, network.input.levels + 1, shape) * (rng.random(shape) < 0.5)
    levels[0], levels[1] = 0, network.input.levels
    return levels


def packets_of(axi: AxiDesign, levels: NDArray[np.int64]) -> list[bytes]:
    """The packets of samples, whose levels are as `Design.encode` gives them."""
    interface = axi.design.interface
    if axi.config.input == "dense":
        shaped = levels.reshape(*levels.shape[:2], *interface.input.map)
        return [bytes(row.tolist()) for row in dense_levels(interface.input, shaped)]
    shape = shapes_of(interface)["input"]
    found = []
    for sample in levels[:, None]:
        beats = encode_beats(sample, shape)
        columns = [beats[name].tolist() for name in BEAT.names or ()]
        words = [event_word(Beat(*beat)) for beat in zip(*columns, strict=True)]
        found.append(np.array(words, "<u4").tobytes())
    return found


def result_words(axi: AxiDesign, golden: Run, sample: int, tag: int = 0) -> list[int]:
    """The words of the packet of a good sample's result."""
    logits = golden.logits[sample]
    words = [int(v) & (1 << WORD_BITS) - 1 for v in logits] if axi.config.result == "logits" else []
    return [*words, *([tag] if axi.design.interface.tag_bits else []), int(np.argmax(logits))]


def _beats(packet: bytes, size: int) -> list[str]:
    """A packet as lines of an image: TLAST in a digit, TKEEP in four, then TDATA."""
    lines = []
    for k in range(0, len(packet), size):
        part = packet[k : k + size]
        last, keep = k + size >= len(packet), (1 << len(part)) - 1
        lines.append(f"{last:x}{keep:04x}{part[::-1].hex():0>{2 * size}}\n")
    return lines


def _loading(axi: AxiDesign) -> list[int]:
    """The words that load the weights, if they do not come with the design."""
    if not axi.design.interface.loaded:
        return []
    frame = load_frame(axi.design.images)
    padded = bytes(-len(frame) % (WORD_BITS // 8)) + frame  # what is before a frame is skipped
    return [int(word) for word in np.frombuffer(padded, "<u4")]
