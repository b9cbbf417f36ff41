"""A million bent Received fields, with atheris: `make fuzz`. pytest does not collect it; it runs a few thousand itself.

Usage: python tests/fuzz/received_fuzz.py [-runs=1000000] [any other option of libFuzzer]

atheris watches which code a field reaches and bends further what reached new code. Its bytes choose the lines and the
mutations (tests/trace/received_mutations.py), one field a run; where they run out, chance that depends on nothing but
them goes on. What is checked is in tests/trace/received_promises.py.
A field that breaks a promise ends the run with its text, and libFuzzer keeps the bytes in `crash-…`: give that file as
the argument to see it again. The last line says how many fields it were and how long that took.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "trace"))

with atheris.instrument_imports(include=["abuse_pipeline.trace"]):
    from received_promises import one_field

RUNS = 1_000_000
BYTES = 512


def run(data: bytes) -> None:
    choices, chance = atheris.FuzzedDataProvider(data), Random(data)

    def below(number: int) -> int:
        return choices.ConsumeIntInRange(0, number - 1) if choices.remaining_bytes() else chance.randrange(number)

    one_field(below)


def main() -> None:
    given = sys.argv[1:]
    defaults = [f"-max_len={BYTES}", "-len_control=0", "-seed=1", f"-runs={RUNS}", "-timeout=5", "-rss_limit_mb=2048"]
    names = {option.partition("=")[0] for option in given}
    options = [option for option in defaults if option.partition("=")[0] not in names]
    atheris.Setup([sys.argv[0], *options, *given], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
