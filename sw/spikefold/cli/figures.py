"""Figures of a synthesis for people."""


def fmax_text(mhz: float | None) -> str:
    """A clock frequency."""
    return "not known" if mhz is None else f"{mhz:.1f} MHz"


def seconds_text(seconds: float, cached: bool) -> str:
    """How long a result took."""
    return f"{seconds:.1f}" + (" (cached)" if cached else "")
