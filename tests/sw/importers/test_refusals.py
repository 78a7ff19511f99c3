"""What has no counterpart is refused: the layer, the reason and what would be accepted instead."""

import re

import pytest
from refused_networks import cases

from spikefold.errors import ImportRefusal
from spikefold.importers import importer

CASES = {f"{case.framework}: {case.reason}": case for case in cases()}


@pytest.mark.parametrize("name", CASES)
def test_refusals_name_the_layer_the_reason_and_a_way_out(name):
    case = CASES[name]
    with pytest.raises(ImportRefusal) as caught:
        importer(case.framework).load(case.source, case.grid, **case.options)
    refusal = caught.value
    assert refusal.node == case.node
    assert re.search(case.says, refusal.reason), refusal.reason
    assert refusal.accepted
    assert str(refusal) == (
        f"Layer {refusal.node!r} cannot be imported: {refusal.reason}; accepted: {refusal.accepted}"
    )
