"""Write the tables and figures of README.md and README.zh-CN.md from results/.

In: results/small.jsonl. Out: the two pages, figures/CLAIM.svg. Run it after each call of run.py.
"""

from pathlib import Path

from harness.figures import draw
from harness.page import LANGUAGES, accuracies, has_a_seed, with_tables
from harness.results import Results
from harness.scales import SCALES
from run import CLAIMS, claims

HERE = Path(__file__).parent


def main(folder: Path = HERE) -> None:
    """Renew the pages and figures in `folder`."""
    scale = SCALES["small"]
    results = Results(folder / "results" / "small.jsonl", scale)
    chosen = [claim(scale) for claim in claims(",".join(CLAIMS))]
    for language, name in LANGUAGES.items():
        page = folder / name
        page.write_text(with_tables(page.read_text(), chosen, results, language))
    for claim in chosen:
        if has_a_seed(claim, results):
            draw(claim, accuracies(claim, results), folder / "figures" / f"{claim.name}.svg")


if __name__ == "__main__":
    main()
