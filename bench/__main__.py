"""The command line of the benchmark."""

import argparse
import asyncio
import os
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Parse, and do what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the stores beside an echo and others."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_, rounds, seconds in (
        ("run", "everything, in about half an hour", 7, 0.5),
        ("quick", "what matters most, in less than two minutes", 5, 0.3),
    ):
        command = commands.add_parser(name, help=help_)
        command.add_argument("--rounds", type=int, default=rounds)
        command.add_argument("--seconds", type=float, default=seconds, help="of each contestant in each round")
        command.add_argument("--only", default="", help="only cases whose title has this in it")
        command.add_argument("--output", type=Path, default=RESULTS / f"{name}.json", help="the picture goes beside it")
        command.add_argument("--data", type=Path, help="where stores write: a folder with a short path on a real disk")
    comparison = commands.add_parser("compare", help="two revisions, the rows of `quick` in turn")
    comparison.add_argument("revisions", nargs=2, metavar="REVISION")
    comparison.add_argument("--rounds", type=int, default=5)
    comparison.add_argument("--only", default="", help="only cases whose title has this in it")
    scaling = commands.add_parser("workers", help="what more worker processes of one server bring")
    scaling.add_argument("--store", default="sqlite", help="a scheme, such as `file`")
    scaling.add_argument("--rounds", type=int, default=5)
    scaling.add_argument("--data", type=Path, help="as above")
    lasting = commands.add_parser("growth", help="the memory of a server under mixed load, over an hour")
    lasting.add_argument("--store", default="sqlite", help="a scheme, such as `file`")
    lasting.add_argument("--minutes", type=float, default=60)
    lasting.add_argument("--rate", type=float, default=50, help="operations a second at most")
    lasting.add_argument("--output", type=Path, default=RESULTS / "growth.json", help="the picture goes beside it")
    lasting.add_argument("--data", type=Path, help="as above")
    profiling = commands.add_parser("profile", help="where the processor time of a server goes; needs py-spy")
    profiling.add_argument("--store", default="sqlite", choices=("memory", "file", "sqlite", "postgresql"))
    profiling.add_argument("--case", default="save", choices=("save", "load", "exists", "upload"))
    profiling.add_argument("--road", default="unary", choices=("unary", "stream"))
    profiling.add_argument(
        "--client", dest="process", action="store_const", const="client", default="server", help="sample the client"
    )
    profiling.add_argument("--seconds", type=float, default=10)
    profiling.add_argument("--output", type=Path, help="where to draw the picture")
    profiling.add_argument("--data", type=Path, help="as above")
    _run(parser.parse_args())


def _run(options: argparse.Namespace) -> None:
    # Silences notes about servers that are started while channels are open.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    if options.command == "compare":
        from bench.compare import compare

        compare(tuple(options.revisions), options.rounds, ["quick", "--rounds", "1", "--only", options.only])
        return
    if options.command == "workers":
        from bench.scaling import scaling

        asyncio.run(scaling(options.store, options.rounds, options.data))
        return
    if options.command == "growth":
        from bench.growth import growth

        growth(options.store, options.minutes * 60, options.rate, options.output, options.data)
        return
    if options.command == "profile":
        from bench.profiling import Subject, profile

        subject = Subject(options.store, options.case, options.road, options.process)
        profile(subject, options.seconds, options.output, options.data)
        return
    from bench import cases
    from bench.memory import SESSIONS, STREAMS
    from bench.running import Plan, run

    sections = cases.everything() if options.command == "run" else cases.quick()
    wanted = [[case for case in section if options.only.lower() in case.title.lower()] for section in sections]
    measures_memory = options.command == "run" and not options.only
    plan = Plan(
        [section for section in wanted if section],
        options.rounds,
        options.seconds,
        options.output,
        idle_sessions=SESSIONS if measures_memory else 0,
        open_streams=STREAMS,
        data_folder=options.data,
    )
    asyncio.run(run(plan))


if __name__ == "__main__":
    main()
