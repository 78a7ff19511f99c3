"""Readers of files that somebody else may have written, one for each format, all with limits.

`text` (UTF-8), `plain` (JSON and TOML), `arrays` (`.npy`, `.npz`) and `tensors` (safetensors). Each checks
names and sizes before it allocates, and raises `InputError`, or the class it is given, and nothing else. None
can run code. `docs/security.md` says what a file can and cannot do.
"""
