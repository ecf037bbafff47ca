"""Write what is told of results/: tables and figures of the two pages, what the explorer quotes.

In: results/small.jsonl, benchmarks/results. Out: README.md and README.zh-CN.md, figures/,
src/vggnet/web/evidence.json. Run it after each call of run.py.
"""

from pathlib import Path

from harness import evidence, overview
from harness.figures import draw
from harness.page import LANGUAGES, accuracies, figure_name, has_a_seed, with_tables
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
                path = folder / "figures" / figure_name(claim.name, language)
                draw(claim, accuracies(claim, results), path, language)
        path = folder / "figures" / figure_name("overview", language)
        overview.draw(overview.differences(chosen, results), path, language)
    repository = HERE.parent
    text = evidence.evidence(chosen, results, repository / "benchmarks" / "results")
    (repository / evidence.PATH).write_text(text)


if __name__ == "__main__":
    main()
