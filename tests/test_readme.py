"""The README's code runs as it stands there. The pages of the documentation run as doctests."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_readme_blocks_run():
    text = README.read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    assert blocks
    namespace = {}
    for block in blocks:
        # The line feeds in front let a traceback point into the README.
        line_feeds = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(line_feeds + block[1], README, "exec"), namespace)
