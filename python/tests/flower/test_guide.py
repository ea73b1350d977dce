"""The commands of the guide to Flower are those that the programs understand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from alluvium.flower import keys
from alluvium.flower.client import Node
from alluvium.flower.settings import Settings
from flwr.common.config import parse_config_args

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs/pages/guides/flower.md"
EXAMPLE = ROOT / "python/examples/flower"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="skipped: the commands of the guide, because this is not a clone")


def command(of: str) -> list[str]:
    """The words of the first command of the guide that begins like this, in the folder of the example."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", "").replace("$PWD", str(EXAMPLE)).splitlines()]
    return shlex.split(next(line for line in lines if line.startswith(of)))


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_three_machines_as_the_guide_sets_them_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys.main(command("python -m alluvium.flower.keys keys")[3:])
    sent = [word for word in command("scp") if word.startswith("keys/")]
    assert len(sent) == 4 and all((tmp_path / file).is_file() for file in sent), sent
    link = command("flower-superlink")
    for option in ("--ssl-ca-certfile", "--ssl-certfile", "--ssl-keyfile"):
        assert (tmp_path / after(link, option)).is_file(), option
    assert (tmp_path / command("flwr supernode register")[3]).is_file()

    (tmp_path / "stream.toml").write_text((EXAMPLE / "stream.toml").read_text("utf-8"), "utf-8")
    node = command("python -m alluvium.flower.node")
    told = parse_config_args([after(node, "--node-config")])
    assert Node.of(told).tasks == ("0", "1", "2", "3", "4")
    for option in ("--root-certificates", "--auth-supernode-private-key"):
        assert (tmp_path / after(node, option)).is_file(), option

    settings = Settings.of(parse_config_args([after(command("python -m alluvium.flower.keep"), "--run-config")]))
    assert Path(settings.experiment).is_file()
    assert [Path(str(path)).name for path in (settings.directory, settings.nodes, settings.key)] == ["run", "nodes.txt", "centre.sign"]


def test_a_node_that_is_told_something_else_says_what_it_can_be_told() -> None:
    with pytest.raises(ValueError, match=r"unknown keys of the node: repot; accepted: data, tasks, .*report"):
        Node.of({"data": "split-glyphs", "tasks": "0", "repot": True})
