"""A host on a UART: frames, checked and numbered, with samples one way and results the other."""
