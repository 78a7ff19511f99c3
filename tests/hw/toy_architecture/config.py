"""What a user can choose of the toy."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Config:
    """`guard` more bits than an accumulator needs."""

    guard: int = field(default=0, metadata={"help": "More bits than an accumulator needs."})
