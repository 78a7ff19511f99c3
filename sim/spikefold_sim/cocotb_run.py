"""Runs cocotb's runner on a compiled design: `python -m spikefold_sim.cocotb_run SIMULATOR BUILD JOB`.

The runner starts the simulator by itself and has no limit of time; in a process of its own it ends, with the
simulator, when whoever started it says so or dies.
"""

import sys
from pathlib import Path

from cocotb_tools.runner import get_runner

from spikefold_sim.wrapper import TOP


def main(simulator: str, build: str, job: str) -> None:
    """Run the job in the folder ``job`` (see `cocotb_body`) on the build in the folder ``build``."""
    get_runner(simulator).test(
        test_module="spikefold_sim.cocotb_body",
        hdl_toplevel=TOP,
        hdl_toplevel_lang="verilog",
        build_dir=build,
        test_dir=job,
        results_xml=str(Path(job) / "results.xml"),
        plusargs=[f"+spikefold_job={job}"],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
