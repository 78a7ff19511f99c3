"""Programs for the other side of the bus; a package of a design holds copies of them."""
