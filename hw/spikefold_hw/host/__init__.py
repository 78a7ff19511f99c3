"""Hosts: what joins the block to a wire or a bus. They know its ports, and no architecture."""
