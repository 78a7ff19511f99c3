"""Sliding windows: from the events of a source to the digits that the lanes take, with clock and costs."""
