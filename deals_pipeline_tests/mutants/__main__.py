"""Breaks the code in every listed way, one at a time and in a copy, and fails where a test does not notice.

`python -m deals_pipeline_tests.mutants`, or `make mutants`
"""

import sys
from typing import Final

from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline_tests.mutants.catalogue import ROOT, mutants
from deals_pipeline_tests.mutants.mutation import NotGreen, Outcome, Verdict, judge

MUTANTS_MIN: Final = 25


def report(outcomes: tuple[Outcome, ...]) -> int:
    """Print the table, the verdicts and who survived; return the exit status."""
    rows: list[Row] = [
        {"mutant": each.mutant.name, "seconds": each.seconds, "caught by": each.caught_by or each.verdict.value}
        for each in outcomes
    ]
    missed = [each for each in outcomes if each.verdict is not Verdict.CAUGHT]
    for each in missed:
        sys.stdout.write(f"{each.verdict.value}: {each.mutant.name}, by {each.mutant.test}\n{each.said[-2000:]}\n")
    return conclude(
        __file__,
        rows,
        [
            Target("mutants", len(outcomes), "at least", MUTANTS_MIN),
            Target("mutants that no test catches", len(missed), "at most", 0),
        ],
    )


def tell(outcome: Outcome) -> None:
    """Say how far it came."""
    sys.stderr.write(f"{outcome.verdict.value}: {outcome.mutant.name} ({outcome.seconds:.0f} s)\n")


def main() -> int:
    """Break everything, and return the exit status."""
    command_line(__doc__).parse_args()
    try:
        return report(judge(ROOT, mutants(), told=tell))
    except NotGreen as failure:
        sys.stderr.write(f"{failure}\nThe named tests fail on the unbroken code: nothing was broken\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
