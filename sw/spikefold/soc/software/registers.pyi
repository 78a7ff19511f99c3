# What every package of a design writes: spikefold.soc.texts.python_module.
NAME: str
OFFSETS: dict[str, int]
FIELDS: dict[str, dict[str, int]]
CONSTANTS: dict[str, int]
COUNTERS: tuple[str, ...]
INPUT: str
SHAPE: tuple[int, int, int]
STEPS: int
ORDER: str
LOGITS: bool
LOADED: bool
SIZES: dict[str, int]
