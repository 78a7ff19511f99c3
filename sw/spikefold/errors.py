"""The errors a user can cause, each with its own exit code on the command line, and how they show a value."""

_LONGEST = 200


class SpikefoldError(Exception):
    """Base of every error that names something the user can mend."""

    exit_code = 1


class InputError(SpikefoldError, ValueError):
    """A value the user gave breaks a rule; the message names the thing, the rule and the value."""

    exit_code = 3


class ModelError(InputError):
    """A model or network that cannot be represented."""


class ImportRefusal(ModelError):  # noqa: N818 - it is no fault, the answer is no
    """A layer of another framework that has no exact counterpart here.

    Attributes
    ----------
    node
        The layer, by its name in the source.
    reason
        What it does that cannot be represented.
    accepted
        What would be taken instead.
    """

    def __init__(self, node: str, reason: str, accepted: str) -> None:
        super().__init__(f"Layer {node!r} cannot be imported: {reason}; accepted: {accepted}")
        self.node, self.reason, self.accepted = node, reason, accepted


class BuildError(InputError):
    """A build directory that is incomplete, edited or not a build directory at all."""


class LinkError(SpikefoldError):
    """A device that is attached does not answer, is another one than expected, or is gone."""

    exit_code = 7


class MissingToolError(SpikefoldError):
    """A program this step needs is not installed; the message says how to install it."""

    exit_code = 4


class ToolError(SpikefoldError):
    """An external program failed; the message carries the end of its output."""

    exit_code = 5


def shown(value: object) -> str:
    """A value for a message: its `repr`, shortened where it is long; never an error of its own.

    Integers beyond some thousand digits have no decimal form in Python, and what a caller hands in may have
    a `repr` that raises.
    """
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    try:
        text = repr(value)
    except Exception:
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
