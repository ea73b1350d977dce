"""What operators write is checked at once: settings of a run, configurations of nodes, names of keys, and what `keep` is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alluvium as al
import pytest
from alluvium.flower import keep, keys, rows
from alluvium.flower.client import Node, _file_name
from alluvium.flower.keys import SigningKey, make_all, read_public_keys
from alluvium.flower.settings import Settings
from cryptography import x509

from loopback import APP, COMMANDS
from test_protocol import EXPERIMENT

RUN = {"experiment": "a", "directory": "b", "nodes": "c"}

# -------------------------------------------------------------------- the run


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [
        ("patience", "abc", "a number of seconds, at least 0"),
        ("patience", float("nan"), "a number of seconds, at least 0"),
        ("give-up", "never", "a number of seconds, at least 0"),
        ("give-up", False, "a number of seconds, at least 0"),
        ("poll", -1, "a number of seconds, at least 0"),
        ("query", -0.5, "a number of seconds, at least 0"),
        ("resend", True, "a number of seconds, at least 0"),
        ("jobs", 0, "an integer, at least 1"),
        ("jobs", True, "an integer, at least 1"),
        ("most-bytes", -1, "an integer, at least 0"),
        ("retries", -1, "an integer, at least 0"),
        ("retries", 1.5, "an integer, at least 0"),
    ],
)
def test_a_wrong_number_is_refused(key: str, value: Any, accepted: str) -> None:
    with pytest.raises(ValueError, match=f"^{key} = .*; accepted: {accepted}$"):
        Settings.of({**RUN, key: value})


def test_good_numbers_are_accepted() -> None:
    given = Settings.of({**RUN, "patience": 5, "poll": 0.0, "most-bytes": 0, "retries": 0, "jobs": 1, "query": ""})
    assert (given.patience, given.poll, given.most_bytes, given.retries, given.jobs, given.query) == (5, 0.0, 0, 0, 1, 30.0)


def test_an_order_is_read() -> None:
    orders = {"stream ": "stream", " arrival": "arrival", "": "arrival", "a, b c ,": ("a", "b c")}
    assert {said: Settings.of({**RUN, "order": said}).order for said in orders} == orders


@pytest.mark.parametrize(("order", "said"), [(",", "names no task"), (" ", "names no task"), ("a,b,a", 'names "a" twice')])
def test_a_wrong_order_is_refused(order: str, said: str) -> None:
    with pytest.raises(ValueError, match=f'order = .* {said}; accepted: "arrival", "stream"'):
        Settings.of({**RUN, "order": order})


# -------------------------------------------------------------------- the experiment


def listed(folder: Path, text: str) -> list[tuple[str, Path]]:
    (folder / "small.toml").write_text(text, encoding="utf-8")
    return [(label, folder) for label, folder, _, _ in rows.rows(folder / "small.toml", folder / "run")]


def strategies(*names: str) -> str:
    tables = "".join(f"[[strategies]]\nkind = 'naive'\nname = {json.dumps(name)}\n" for name in names)
    return EXPERIMENT.replace('[[strategies]]\nkind = "weight-averaging"\n', tables)


DECLARED = EXPERIMENT.replace(
    'kind = "split-glyphs"\ntasks = 3\nclasses_per_task = 2', 'kind = "declared"\ninput = [1, 28, 28]\ntasks = { "w 1" = ["a", "b"] }'
)


def test_the_rows_of_a_good_experiment(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert listed(tmp_path, EXPERIMENT) == listed(tmp_path, DECLARED) == [("weight-averaging", run)]
    assert listed(tmp_path, strategies("a b", "c")) == [("a b", run / "a b"), ("c", run / "c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (strategies("a", "a"), 'the row name "a" is taken'),
        (strategies(), "`strategies` is missing"),
        (EXPERIMENT.replace("seeds = [0]", "seeds = [0, 0]"), "the seed 0 twice"),
        (EXPERIMENT.replace("seeds = [0]", "seeds = []"), "`seeds`"),
        (EXPERIMENT.replace("seeds = [0]", 'seeds = [0]\nbaseline = "nope"'), "`baseline` = \"nope\" is not the name of a row"),
        *((strategies(name, "b"), "small.toml: .*1: `name`") for name in ("../evil", "a/b", "/x", "", ".", "..", "a\\b", "a\0", "done")),
        (strategies("../evil"), r"accepted: a name without `/`"),
    ],
)
def test_an_experiment_that_would_lose_rows_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(al.ConfigError, match=said):
        listed(tmp_path, text)


# -------------------------------------------------------------------- a node


@pytest.fixture
def node(tmp_path: Path) -> Callable[..., Node]:
    """Reads the configuration of a node."""

    def read(**changed: Any) -> Node:
        told = {"data": "split-glyphs", "tasks": "0", "state": str(tmp_path / "state")}
        return Node.of({**told, **{name.replace("_", "-"): value for name, value in changed.items()}})

    return read


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("pool", "true", 'pool = "true"; accepted: true, false'),
        ("report", "true", 'report = "true"; accepted: true, false'),
        ("report", 1, "report = 1; accepted: true, false"),
        ("centre_key", "", 'centre-key = "" is not a public signing key'),
        ("centre_key", "AB" * 32, "is not a public signing key"),
        ("centre_key", "keys/centre", "there is no file /.*/keys/centre;"),
        ("centre_key", "centre.pub", "there is no file /.*/centre.pub;"),
        ("device", "", 'device = ""; accepted: a kind'),
        ("device", "a kind", "accepted: a kind, such as"),
        ("device", "{kind: 1}", "is not JSON"),
        ("device", "[1]", "accepted: a kind"),
        ("device", True, "device = true; accepted: a kind"),
        ("tasks", "", 'tasks = "" names no task'),
        ("tasks", " ,", "names no task"),
        ("most_bytes", 0, "most-bytes = 0; accepted: an integer, at least 1"),
        ("most_bytes", "9", 'most-bytes = "9"; accepted'),
        ("most_bytes", True, "most-bytes = true; accepted"),
    ],
)
def test_a_node_refuses_what_it_cannot_be_told(
    node: Callable[..., Node], tmp_path: Path, key: str, value: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        node(**{key: value})
    assert not (tmp_path / "state").exists(), "nothing was written"


def test_what_a_node_can_be_told(node: Callable[..., Node], tmp_path: Path) -> None:
    make_all(tmp_path, [], ["localhost"])
    public = SigningKey.read(tmp_path / "centre.sign").public
    assert node(centre_key=str(tmp_path / "centre.pub")).centre_key == node(centre_key=public).centre_key == public
    assert node(report=True).reports and not node(report=False).reports
    assert node(device="command").device == "command" and node(device='{"kind": "command"}').device == '{"kind": "command"}'
    (tmp_path / "tasks.txt").write_text("", encoding="utf-8")
    assert node(tasks=f"@{tmp_path / 'tasks.txt'}").tasks == (), "a file may get its tasks later"
    (tmp_path / "wrong.pub").write_text("no key", encoding="utf-8")
    with pytest.raises(ValueError, match="the file does not hold a public signing key"):
        node(centre_key=str(tmp_path / "wrong.pub"))


# -------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("names", "said"),
    [
        *(([name], "are files of the centre's") for name in ("centre", "superlink", "authority", "Centre")),
        *(([name], "is not a name of a node") for name in ("", "../x", "a b", "a\n", "a#", "é", ".", "..", "-x", "a/b")),
        (["a", "b", "A"], "two nodes have the name 'A'"),
    ],
)
def test_a_wrong_name_of_a_node_is_refused(tmp_path: Path, names: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_all(tmp_path / "keys", names, ["localhost"])
    assert list(tmp_path.iterdir()) == [], "nothing was written"


def test_a_node_has_a_key_of_its_own(tmp_path: Path) -> None:
    make_all(tmp_path, ["a.b-c_1"], ["localhost"])
    for owner in ("centre", "a.b-c_1"):
        (tmp_path / "copy.sign").write_bytes((tmp_path / f"{owner}.sign").read_bytes())
        with pytest.raises(ValueError, match=f"copy.sign holds the signing key of `{owner}`"):
            make_all(tmp_path, ["copy"], ["localhost"])
    (key,) = read_public_keys(tmp_path / "nodes.txt")
    (tmp_path / "nodes.txt").write_text(f"{key} the first hospital\n", encoding="utf-8")
    make_all(tmp_path, ["a.b-c_1"], ["localhost"])
    assert read_public_keys(tmp_path / "nodes.txt") == {key: "the first hospital"}, "an operator may name it otherwise"


@pytest.mark.parametrize(
    "host", ["https://x:9092", "a b", "", "x:9092", "[::1]", "1.2.3", "10.0.0.256", "a..b", "-a", "é.org", f"{'a' * 64}.org"]
)
def test_a_wrong_host_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="is not a host; accepted: a name such as"):
        make_all(tmp_path / "keys", [], [host])
    assert list(tmp_path.iterdir()) == [], "nothing was written"


def test_a_certificate_has_all_hosts(tmp_path: Path) -> None:
    hosts = [f"{'a' * 40}.{'b' * 40}.example.org", "localhost", "*.example.org", "hospital-1", "10.0.0.1", "::1"]
    make_all(tmp_path, [], hosts)
    certificate = x509.load_pem_x509_certificate((tmp_path / "superlink.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == hosts
    assert certificate.subject.rfc4514_string() == "CN=localhost"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["--nodes", "-1"], "--nodes -1: accepted: a number of nodes, at least 0"),
        (["--host", "https://x:9092"], "'https://x:9092' is not a host"),
        (["--node", "centre"], "a node cannot have the name 'centre'"),
    ],
)
def test_the_command_for_keys_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: list[str], answer: str
) -> None:
    with pytest.raises(SystemExit) as end:
        keys.main([str(tmp_path / "keys"), *said])
    assert end.value.code == 2
    assert answer in capsys.readouterr().err


def test_a_key_has_one_name(tmp_path: Path) -> None:
    key, file = "ab" * 32, tmp_path / "nodes.txt"
    file.write_text(f"{key} a\n{key} a\n", encoding="utf-8")
    assert read_public_keys(file) == {key: "a"}
    file.write_text(f"{key} a\n# the same\n{key} b c\n", encoding="utf-8")
    with pytest.raises(ValueError, match="nodes.txt:3: `b c` has the key of `a`"):
        read_public_keys(file)


# -------------------------------------------------------------------- keep


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Flower's command with a connection to a port that nobody listens at."""
    home = tmp_path / "flwr"
    home.mkdir()
    connection = '[superlink]\ndefault = "centre"\n\n[superlink.centre]\naddress = "127.0.0.1:9"\ninsecure = true\n'
    (home / "config.toml").write_text(connection, encoding="utf-8")
    return {**os.environ, "FLWR_HOME": str(home), "FLWR_TELEMETRY_ENABLED": "0", "PATH": f"{COMMANDS}:{os.environ.get('PATH', '')}"}


@pytest.mark.parametrize(
    ("app", "connection", "said"), [("missing", "centre", "missing/pyproject.toml"), (str(APP), "nope", "'nope' not found")]
)
def test_keep_gives_up_where_no_run_can_begin(
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    app: str,
    connection: str,
    said: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"flwr run: .*{said}"):
        # A status that is a text is printed to the standard error, and 1 is the exit status.
        keep.main([app, connection, "--run-config", "", "--directory", str(tmp_path / "run")])


def test_keep_says_once_that_the_superlink_is_away(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = keep.RunKeeper(APP, "centre", "", tmp_path / "run", environment=environment)
    for _ in range(2):
        keeper.tend()
    assert keeper.submitted == 0
    assert capsys.readouterr().err.count("Connection to the SuperLink is unavailable") == 1


def test_keep_says_each_time_what_else_is_wrong(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = tmp_path / "commands"
    commands.mkdir()
    answer = tmp_path / "answer.json"
    (commands / "flwr").write_text(f"#!/bin/sh\ncat '{answer}'\n", encoding="utf-8")
    (commands / "flwr").chmod(0o755)
    environment["PATH"] = f"{commands}:{environment['PATH']}"
    keeper = keep.RunKeeper(APP, "centre", "", tmp_path / "run", environment=environment)
    answer.write_text('{"success": false, "error-message": "\\nNo\\nroom."}', encoding="utf-8")
    for _ in range(2):
        keeper.tend()
    assert capsys.readouterr().err == "flwr run: No room.\n" * 2
    answer.write_text('{"success": true, "run-id": 7}', encoding="utf-8")
    keeper.tend()
    assert (keeper.submitted, capsys.readouterr().err) == (1, "")
    monkeypatch.setattr(keep, "START", 0.0)
    keeper.tend()
    assert keeper.submitted == 2
    assert "the run 7 is gone before it was done; it is submitted again; `flwr log 7 centre`" in capsys.readouterr().err


def test_rows_whose_names_look_alike_have_files_of_their_own() -> None:
    names = ["a b", "a_b", "x" * 100, "x" * 101]
    assert len({_file_name([name, 0]) for name in names}) == len(names)
