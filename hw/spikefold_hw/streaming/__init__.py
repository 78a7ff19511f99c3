"""The streaming pipeline: a core for every stage of the network, all working at once on events.

`config` is what a user chooses, `plan` what was chosen, `kinds` the kinds of stages, `network` the gateware,
`predict` its exact timing, `choose` the way to a plan, `architecture` its face.
"""
