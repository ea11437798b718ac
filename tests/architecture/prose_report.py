"""Print how many banned phrases each file holds: ``python -m tests.architecture.prose_report [--all] [PATH ...]``.

``--all`` prints each of them with its line. ``--advice`` counts the phrases that are right in some places as well.
"""

import argparse
from collections import Counter

from tests.architecture import prose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--advice", action="store_true")
    parser.add_argument("paths", nargs="*")
    arguments = parser.parse_args()
    rules = (*prose.RULES, *prose.ADVICE) if arguments.advice else prose.RULES
    areas: Counter[str] = Counter()
    for path in prose.files():
        name = path.relative_to(prose.PROJECT).as_posix()
        if arguments.paths and not name.startswith(tuple(arguments.paths)):
            continue
        found = prose.findings(path, rules)
        areas[prose.area_of(path)] += len(found)
        if found:
            print(f"{len(found):4}  {name}")
        if arguments.all:
            for each in found:
                print(f"        {each}")
    print()
    for area in prose.AREAS:
        if areas[area]:
            print(f"{areas[area]:4}  {area}")
    print(f"{areas.total():4}  in all")


if __name__ == "__main__":
    main()
