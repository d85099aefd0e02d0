"""What the README shows is what the project holds."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_job_shown_is_the_demo():
    (shown,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    assert shown == (ROOT / "examples" / "silica" / "quick.toml").read_text(encoding="utf-8")


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        assert (ROOT / link.partition("#")[0]).exists(), link


def test_scripts_named_are_there():
    named = set(re.findall(r"`(ci/[a-z_]+\.py)`", README))
    assert named
    for name in named:
        assert (ROOT / name).exists(), name
