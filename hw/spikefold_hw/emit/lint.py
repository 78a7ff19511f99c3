"""Verilator's waivers: what it may not complain of in the core, and why."""

from spikefold_hw.emit.shell import Shell

_RULES: tuple[tuple[str, str, str], ...] = (
    # (reason, rule, what the message says)
    ("The core holds all of its modules.", "DECLFILENAME", "*"),
    ("A signal may be named as a block above it is.", "VARHIDDEN", "*"),
    ("Registers start at their reset value, as those of an FPGA do.", "PROCASSINIT", "*"),
    ("Verilog extends the shorter operand, and that is meant.", "WIDTHEXPAND", "Operator *"),
    ("A `!` of several bits asks whether all are 0.", "WIDTHTRUNC", "Logical operator LOGNOT *"),
    ("Choices of one bit each, of which one at most is set.", "CASEOVERLAP", "*"),
    ("A shift that picks one bit.", "WIDTHTRUNC", "Operator ASSIGNW expects 1 bits * SHIFTR *"),
    (
        "Carries, and ports of a block that not every place needs. Yosys has removed what a module itself "
        "does not use.",
        "UNUSEDSIGNAL",
        "*",
    ),
)


def lint_waivers(shell: Shell, images: bool) -> str:
    """Text of the waiver file of a design: rules for its core; the other files need none.

    Parameters
    ----------
    shell
        What the top is called.
    images
        Whether a memory reads its contents from a file; else the top has a parameter that nothing needs.
    """
    lines = [
        f"// Use: verilator --lint-only -Wall lint.vlt --top-module {shell.top} rtl/*.v",
        "`verilator_config",
    ]
    for reason, rule, match in _RULES:
        lines.append(f"// {reason}")
        pattern = "" if match == "*" else f' -match "{match}"'
        lines.append(f'lint_off -rule {rule} -file "*{shell.core}.v"{pattern}')
    if not images:
        lines += ["// All memories are loaded.", f'lint_off -rule UNUSEDPARAM -file "*{shell.top}.v"']
    return "\n".join(lines) + "\n"
