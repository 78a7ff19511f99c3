"""Where sums wait and leave: the repeater, and the clock of all that follows the lanes."""
